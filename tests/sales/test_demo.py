"""The demo workspace: made once, with people who can sign in and a key that works."""

import pytest
from django.contrib.auth.hashers import check_password

from crm.sales.demo import STAGES, demo_workspace_ensure
from crm.sales.models import Deal, Stage
from crm.workspace.models import Member
from tenants.api_keys import api_key_authenticate
from tenants.models import Domain, User
from tenants.scopes import shared, tenant_scope


@pytest.mark.usefixtures("owner_alias")
def test_the_demo_workspace_is_made_once_and_its_key_kept(db: None) -> None:
    made = demo_workspace_ensure(known={})
    again = demo_workspace_ensure(known=made)
    assert again == made
    _key, tenant = api_key_authenticate(f"Bearer {made['api_key']}")
    with shared():
        assert Domain.objects.filter(tenant_id=tenant.id).count() == 1
        assert check_password(made["password"], User.objects.get(email=made["email"]).password)
    with tenant_scope(tenant):
        assert Deal.objects.count() == 150
        open_stages = Stage.objects.filter(kind="open", deleted_at=None).order_by("position")
        assert [stage.name for stage in open_stages] == [stage["name"] for stage in STAGES]
        roles = sorted(Member.objects.values_list("role__slug", flat=True))
        assert roles == ["manager", "member", "member", "member", "owner"]
        assert Member.objects.filter(role__slug="member", manager__role__slug="manager").count() == 3
        owners = Deal.objects.values_list("owner", flat=True).distinct()
        assert len(owners) >= 4

    forgotten = demo_workspace_ensure(known={"api_key": "rpt_live_0000000000000000_" + "x" * 40})
    assert forgotten["api_key"] != made["api_key"]
