"""What cannot be taken back is asked about before it is done, also where no script is there to ask."""

import re
from html import unescape
from typing import Any

import pytest

from tenants.accounts.api_keys import api_key_create
from tenants.actors import Actor
from tenants.db.scopes import shared
from tenants.models import ApiKey
from tenants.workspaces.hosts import tenant_host

pytestmark = pytest.mark.django_db
API, FEED = "/settings/api/", "/settings/calendar/"
QUESTION = "Revoke this key? What uses it stops working at once."


def fields(page: str) -> dict[str, str]:
    found = re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)">', page)
    return {unescape(name): unescape(value) for name, value in found}


@pytest.fixture
def revoking(owner: Actor) -> str:
    key, _secret = api_key_create(owner, name="Robot", scopes=["contact:read"])
    return f"{API}keys/{key.id}/revoke/"


def is_revoked() -> bool:
    with shared():
        return ApiKey.objects.get(name="Robot").revoked_at is not None


def test_the_form_carries_its_question(browser_client: Any, owner: Actor, revoking: str) -> None:
    page = browser_client(owner).get(API).content.decode()
    assert fields(page.split(revoking)[1].split("</form>")[0])["ask"] == QUESTION


def test_it_is_done_only_after_the_page_in_between(browser_client: Any, owner: Actor, revoking: str) -> None:
    client = browser_client(owner)
    answer = client.post(revoking, {"ask": QUESTION, "why": "old & <b>tired</b>", "of": ["1", "2"]})
    page = answer.content.decode()
    assert answer.status_code == 200
    assert QUESTION in page
    assert f'action="{revoking}"' in page
    assert not is_revoked()
    sent = fields(page)
    assert sent["why"] == "old & <b>tired</b>"
    assert 'name="of" value="1"' in page
    assert 'name="of" value="2"' in page
    assert "ask" not in sent
    assert client.post(revoking, sent).status_code == 302
    assert is_revoked()


def test_who_thinks_better_of_it_goes_back_to_where_they_were(browser_client: Any, owner: Actor, revoking: str) -> None:
    client = browser_client(owner)
    here = f"http://{tenant_host(owner.tenant)}{API}"
    page = client.post(revoking, {"ask": QUESTION}, headers={"referer": here}).content.decode()
    assert f'href="{here}"' in page
    assert fields(page)["next"] == here
    elsewhere = client.post(
        revoking, {"ask": QUESTION, "next": "//evil.example/"}, headers={"referer": "http://b.example/"}
    )
    assert "evil.example" not in elsewhere.content.decode()
    assert "b.example" not in elsewhere.content.decode()


def test_a_question_is_words_and_nothing_else(browser_client: Any, owner: Actor, revoking: str) -> None:
    page = browser_client(owner).post(revoking, {"ask": "<script>alert(1)</script>"}).content.decode()
    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)" in page


def test_nobody_is_asked_who_is_not_here(browser_client: Any, owner: Actor, client: Any, revoking: str) -> None:
    answer = client.post(revoking, {"ask": QUESTION}, headers={"host": tenant_host(owner.tenant)})
    assert answer.status_code == 302
    assert not is_revoked()


def test_a_feed_is_made_anew_only_after_asking(browser_client: Any, owner: Actor) -> None:
    client = browser_client(owner)
    client.post(FEED, {"action": "make"})
    page = client.get(FEED).content.decode()
    assert "Make a new address? The one before stops working." in page
    assert "Stop the feed? Calendars that subscribed to it will show nothing any more." in page
