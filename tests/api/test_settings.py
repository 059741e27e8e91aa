"""Settings → API: who may make keys, what the page shows, what it refuses."""

import re

import pytest

from tests import factories

pytestmark = pytest.mark.django_db

PAGE = "/settings/api/"
FORM = {"name": "Website", "expires": "", "scopes": ["deal:read", "deal:write"]}


def test_the_page_shows_examples_with_the_workspaces_own_stages(browser_client, owner):
    stage = factories.stage(owner, name="Very own stage", pipeline=factories.pipeline(owner).id)
    page = browser_client(owner).get(PAGE).content.decode()
    assert "/api/v1/deals" in page
    assert str(stage.id) in page


def test_a_new_key_is_shown_once_and_stands_in_the_examples(browser_client, owner):
    client = browser_client(owner)
    made = client.post(f"{PAGE}keys/", FORM).content.decode()
    (key,) = set(re.findall(r"rpt_live_[0-9a-z]{16}_[A-Za-z0-9]{40}", made))
    assert made.count(key) >= 3
    assert key not in client.get(PAGE).content.decode()


@pytest.mark.parametrize(
    "change",
    [{"name": ""}, {"name": "x" * 500}, {"name": "a\x00b"}, {"scopes": []}, {"scopes": ["deal:fly"]}, {"expires": "7"}],
)
def test_a_wrong_form_makes_no_key_and_keeps_what_was_typed(browser_client, owner, change):
    from tenants.db.scopes import shared
    from tenants.models import ApiKey

    with shared():
        before = ApiKey.objects.count()
    response = browser_client(owner).post(f"{PAGE}keys/", FORM | change)
    assert response.status_code == 422
    assert 'value="deal:read"' in response.content.decode()
    with shared():
        assert ApiKey.objects.count() == before


@pytest.mark.parametrize("name", ["seller", "reader"])
def test_who_has_no_right_to_keys_gets_none(browser_client, actor_named, name):
    client = browser_client(actor_named(name))
    assert client.get(PAGE).status_code == 403
    assert client.post(f"{PAGE}keys/", FORM).status_code == 403


def test_an_outsider_cannot_revoke_a_key(browser_client, owner, outsider, api):
    from tenants.db.scopes import shared
    from tenants.models import ApiKey

    api(owner)
    with shared():
        key = ApiKey.objects.filter(tenant_id=owner.tenant.id).latest("created_at")
    assert browser_client(outsider).post(f"{PAGE}keys/{key.id}/revoke/").status_code == 404
    with shared():
        key.refresh_from_db()
    assert key.revoked_at is None


def test_a_revoked_key_is_refused_from_then_on(browser_client, owner, api):
    from tenants.db.scopes import shared
    from tenants.models import ApiKey

    program = api(owner)
    assert program.get("/api/v1/types").status_code == 200
    with shared():
        key = ApiKey.objects.filter(tenant_id=owner.tenant.id).latest("created_at")
    browser_client(owner).post(f"{PAGE}keys/{key.id}/revoke/")
    assert program.get("/api/v1/types").status_code == 401


def test_only_the_reference_relaxes_the_style_policy(browser_client, owner):
    client = browser_client(owner)
    assert "'unsafe-inline'" in client.get(f"{PAGE}reference/").headers["Content-Security-Policy"]
    assert "'unsafe-inline'" not in client.get(PAGE).headers["Content-Security-Policy"]
