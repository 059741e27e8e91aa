"""The demo workspace: made once, with people who can sign in and a key that works."""

import pytest
from django.contrib.auth.hashers import check_password

from crm.records.models import SavedView
from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from crm.sales.board.columns import board
from crm.sales.models import Deal, Stage
from crm.sales.sample.demo import ABROAD, CARE, CARE_DEALS, OWNER, TRAINEE, VIEWS, demo_workspace_ensure
from crm.sales.sample.loading import STAGES, sample_clear
from crm.workspace.actors import actor_for_user
from crm.workspace.currencies.services import currency_rows
from crm.workspace.models import Member
from tenants.accounts.api_keys import api_key_authenticate
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Domain, User


@pytest.mark.slow("makes the whole demo workspace")
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
        assert Deal.objects.filter(pipeline__is_default=True).count() == 150 + len(ABROAD)
        assert Deal.objects.filter(pipeline__name=CARE).count() == CARE_DEALS
        open_stages = Stage.objects.filter(pipeline__is_default=True, kind="open", deleted_at=None).order_by("position")
        assert [stage.name for stage in open_stages] == [stage["name"] for stage in STAGES]
        roles = sorted(Member.objects.values_list("role__slug", flat=True))
        assert roles == ["manager", "member", "member", "member", "owner", "trainee"]
        assert Member.objects.filter(role__slug="member", manager__role__slug="manager").count() == 3
        owners = Deal.objects.values_list("owner", flat=True).distinct()
        assert len(owners) >= 4

        actor = actor_for_user(tenant, Member.objects.get(email=OWNER.email).user_id, "test")
        trainee = actor_for_user(tenant, Member.objects.get(email=TRAINEE.email).user_id, "test")
        assert actor is not None
        assert trainee is not None
        deal = registry.get("deal")
        seen = reading.page(trainee, deal, Query(limit=200))
        assert 0 < len(seen.rows) < len(reading.page(actor, deal, Query(limit=200)).rows)
        assert not any("amount" in row for row in seen.rows)
        assert SavedView.objects.count() == len(VIEWS)
        measuring = board(actor).columns[1]
        assert {"EUR", "JPY", "USD"} <= measuring.sums.keys()
        assert measuring.total is not None
        assert not measuring.total.missing
        rates = {row.code: row.rate for row in currency_rows(actor)}
        assert {"JPY", "KWD", "USD"} <= rates.keys()
        assert None not in rates.values()
        assert sample_clear(actor).kept == []
        live = [
            record_type.slug
            for record_type in registry.all()
            if record_type.model_class.objects.filter(is_sample=True, deleted_at=None)
        ]
        assert live == []

    forgotten = demo_workspace_ensure(known={"api_key": "rpt_live_0000000000000000_" + "x" * 40})
    assert forgotten["api_key"] != made["api_key"]
