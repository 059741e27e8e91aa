"""Every page, of everybody: nothing on it is empty, leads nowhere, or does nothing when it is pressed.

Whoever opens every route and then all that those pages lead to opens two hundred pages: that takes its seconds.
"""

from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import UUID

import pytest
from django.conf import settings
from django.core import mail
from django.test import Client
from django.urls import resolve
from django.utils import timezone

from crm.workspace.models import Member
from crm.workspace.people import mails
from crm.workspace.people.invitation_services import invitation_send
from crm.workspace.people.member_services import member_update
from crm.workspace.people.role_services import role_create
from tenants.workspaces.address_change import Moved
from tenants.workspaces.hosts import public_url, tenant_url
from tests.isolation.routes import Thing, addresses, routes
from tests.isolation.test_canary import Planted, page_paths
from tests.screens.links import Target, problems, read, targets

pytestmark = pytest.mark.django_db
CLOSELY = ("deals", "tasks")
NOTHING = Thing("", UUID(int=0), "")
GOOD = (200, 204, 286, 302)


class Walk:
    """Opens pages in one browser and gathers what is wrong with them."""

    def __init__(self, client: Client, origin: str, urlconf: str) -> None:
        self.client, self.origin, self.urlconf = client, origin, urlconf
        self.host = urlsplit(origin).netloc
        self.problems: list[str] = []
        self.found: list[tuple[Target, str]] = []
        self.known: set[tuple[str, str, str]] = set()

    def open(self, path: str) -> int:
        answer = self.client.get(path)
        if answer.headers.get("Content-Type", "").startswith("text/html"):
            page = read(answer.content.decode())
            at = self.origin + path
            whole = any(one.tag == "html" for one in page.elements)
            self.problems += [f"{at}: {one}" for one in problems(page, at) if whole or "names nothing" not in one]
            self.found += [(target, at) for target in targets(page, at) if target.asked and self.is_new(target.url)]
        return answer.status_code

    def is_new(self, url: str) -> bool:
        """Whether it is a page of this host, and none of its kind was met before: by its route; of the nouns in
        ``CLOSELY`` also by noun, and of deals by what is asked first."""
        parts = urlsplit(url)
        path = parts.path or "/"
        if parts.netloc != self.host or path.startswith((settings.STATIC_URL, "/api/")):
            return False
        found = resolve(path, self.urlconf)
        noun = path.split("/")[1]
        asked = next((name for name, _value in parse_qsl(parts.query)), "") if noun == "deals" else ""
        kind = (found.view_name, noun if noun in CLOSELY else "", asked)
        new = kind not in self.known
        self.known.add(kind)
        return new

    def all(self, paths: Iterable[str]) -> list[str]:
        """Open the paths, then whatever they lead to; gives what is wrong."""
        for path in filter(lambda one: self.is_new(self.origin + one), paths):
            assert self.open(path) < 500, path
        while self.found:
            target, at = self.found.pop()
            status = self.open(target.url.removeprefix(self.origin).partition("#")[0])
            if status not in GOOD:
                self.problems.append(f"{at}: leads to {target.url}, which answers {status}")
        return sorted({one.partition(": ")[2]: one for one in self.problems}.values())


@pytest.mark.slow("opens two hundred pages")
@pytest.mark.parametrize("who", ["owner", "reader"])
def test_every_page_of_a_workspace(who, owner, actor_named, browser_client, filled):
    planted = Planted(owner)
    actor = actor_named(who)
    walk = Walk(browser_client(actor), tenant_url(actor.tenant, ""), settings.TENANT_URLCONF)
    assert walk.all(["/", *page_paths(planted)] if who == "owner" else ["/"]) == []


@pytest.mark.parametrize("who", ["", "owner"])
def test_every_page_of_the_public_host(who, public_client, actor_named):
    if who:
        from tests.conftest import session_key

        user_id = actor_named(who).details["user_id"]
        public_client.cookies[settings.SESSION_COOKIE_NAME] = session_key(user_id, None)
    others: dict[str, Any] = {"uid": "abc", "token": "x", "key": "x", "session_id": "0" * 32}
    paths = [path for route in routes(settings.ROOT_URLCONF) for path in addresses(route, [NOTHING], others)]
    assert "/signup/" in paths
    assert Walk(public_client, public_url(""), settings.ROOT_URLCONF).all(["/", *paths]) == []


def test_what_a_workspace_mails(owner, celery_eager, django_capture_on_commit_callbacks):
    """That their links are sound is asked of every mail after every test; here they are sent."""
    member = Member.objects.get(pk=owner.member_id)
    with django_capture_on_commit_callbacks(execute=True):
        invitation_send(owner, email="new@example.com", role="member")
        mails.address_changed(Moved(owner.tenant, "oak.localhost", timezone.now()), member)
    assert ["http://" in str(message.body) for message in mail.outbox] == [True, True]


def test_a_role_that_sees_little_is_led_nowhere_it_may_not_go(owner, seller, browser_client, filled):
    role = role_create(owner, name="Narrow", permissions={"company": {"view": "all"}}, fields={})
    member_update(owner, member_id=seller.member_id, role=role)
    assert Walk(browser_client(seller), tenant_url(owner.tenant, ""), settings.TENANT_URLCONF).all(["/"]) == []
