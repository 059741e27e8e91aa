"""Every view, route and service of a workspace that is not paid for: each refuses what it would change, or is listed.

The lists below are the whole of what a read-only and a suspended workspace do. Whoever adds a view, a route or a
service that is to work there adds it here, and nothing else changes: the workspace's tables are compared before and
after. Takes its seconds for some thousand requests.
"""

import re
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.test import Client
from django.urls import resolve

from api.views import ApiView
from tenants.actors import Actor
from tenants.web.access import BILLING, PUBLIC, declared
from tests.billing.unpaid import changed, dump, put
from tests.isolation.routes import routes
from tests.isolation.test_canary import Planted, api_paths

pytestmark = [pytest.mark.django_db, pytest.mark.slow("asks every page and every route by each method")]

UNSAFE = ("post", "put", "patch", "delete")
SAID = ("This workspace is read-only, so nothing was changed.", "This workspace is suspended")
SCREENS_WRITE_UNPAID = {
    "appearance": "a choice of one browser, in its cookie",
    "signout": "one's own session",
    "verify_again": "the proof of one's own address, which paying needs",
    "unsubscribe": "who wants no mail gets none",
    "inbox_read": "one's own notices",
    "inbox_unread": "one's own notices",
    "records:export": "what is in the workspace belongs to those who work in it",
    "settings:member_leave": "members leave",
    "settings:invitation_revoke": "what lets somebody in is taken back",
    "api_settings:revoke": "what lets somebody in is taken back",
    "settings:support": "whether support may come in",
    "support_end": "support is sent away",
    "announcement_hide": "one's own pages",
    "activities:calendar_feed": "what lets somebody in is taken back; none is made",
}
"""The views that change something in a read-only workspace, and why; with those of billing."""
SCREENS_SERVE_SUSPENDED = {
    "handover": "sign-in",
    "signout": "sign-in",
    "verify_again": "paying needs it",
    "appearance": "a choice of one browser",
    "unsubscribe": "who wants no mail gets none",
    "logo_file": "a picture on these pages",
    "settings:index": "leads to these pages",
    "settings:members": "members leave",
    "settings:member": "members leave",
    "settings:member_leave": "members leave",
    "settings:support": "whether support may come in",
    "support_end": "support is sent away",
    "records:export": "what is in the workspace belongs to those who work in it",
    "records:export_file": "the file of an export",
    "records:jobs": "how far an export came",
    "records:job": "how far an export came",
    "records:work": "how far an export came",
}
"""The views that a suspended workspace keeps open, and why; with those of billing."""
FORMS = {
    "activities:next",
    "records:bulk_field",
    "records:edit_field",
    "records:new",
    "records:view_edit",
}
"""The views that only open the form of a write, and so are not read in a read-only workspace either."""
ROUTES_WRITE_UNPAID = {"Export", "MemberDeactivate", "InvitationDetail"}
"""The API's: exports, members who leave, invitations that are revoked. A question by POST is no write."""
MAY_CHANGE = {
    "ApiKey",
    "Membership",
    "activities_calendarfeed",
    "records_changeset",
    "records_event",
    "records_job",
    "workspace_invitation",
    "workspace_member",
    "workspace_notification",
    "workspace_notificationchoices",
    "workspace_team",
}
"""The tables that what is on the lists may change; none of a record among them."""


@pytest.fixture
def planted(owner: Actor) -> Planted:
    return Planted(owner)


def page_paths(planted: Planted) -> list[str]:
    """An address of each page for each noun; of nothing that is there for parameters that nobody knows."""
    found = []
    for route in routes(django_settings.TENANT_URLCONF):
        if not route.path.startswith("api/"):
            strange = re.sub(r"<\w+:\w+>", str(uuid4()), f"/{route.path}")
            found += planted.paths(route) or [strange]
    return found


def found_at(path: str) -> Any:
    return resolve(path, django_settings.TENANT_URLCONF)


def of_billing(path: str) -> bool:
    return declared(found_at(path).func) == BILLING


def declared_with(flag: str, paths: list[str]) -> set[str]:
    """The names of the views that are declared with ``flag``, without those of billing."""
    return {found_at(path).view_name for path in paths if getattr(found_at(path).func, flag, False)} - {
        found_at(path).view_name for path in paths if of_billing(path)
    }


def one_each(paths: list[str]) -> list[str]:
    """An address of each view that is not of billing: what is refused here does not depend on the noun."""
    found: dict[str, str] = {}
    for path in paths:
        if not of_billing(path):
            found.setdefault(found_at(path).view_name, path)
    return list(found.values())


def sent(client: Client, method: str, path: str) -> Any:
    if method == "get":
        return client.get(path)
    form = "application/x-www-form-urlencoded"
    return getattr(client, method)(path, "name=Late", content_type=form, headers={"HX-Request": "true"})


def is_refusal(answer: Any) -> bool:
    """Whether it is the one message, or no view for this method at all."""
    text = "" if answer.streaming else answer.content.decode() + answer.headers.get("HX-Trigger", "")
    return answer.status_code == 405 or (answer.status_code in (402, 403) and any(one in text for one in SAID))


class TestScreens:
    def test_the_lists_are_whole(self, planted: Planted) -> None:
        paths = page_paths(planted)
        assert declared_with("writes_unpaid", paths) == SCREENS_WRITE_UNPAID.keys()
        assert declared_with("serves_suspended", paths) == SCREENS_SERVE_SUSPENDED.keys()

    def test_a_read_only_workspace_refuses_all_else(
        self, planted: Planted, owner: Actor, browser_client: Callable[..., Client]
    ) -> None:
        put(owner.tenant, "read_only")
        client, before = browser_client(owner), dump()
        for path in page_paths(planted):
            if found_at(path).view_name in SCREENS_WRITE_UNPAID or of_billing(path):
                continue
            for method in UNSAFE:
                answer = sent(client, method, path)
                assert is_refusal(answer), (method, path, answer.status_code)
        assert changed(before) == set()

    def test_a_read_only_workspace_is_read(
        self, planted: Planted, owner: Actor, browser_client: Callable[..., Client]
    ) -> None:
        client = browser_client(owner)
        open_ones = {path: client.get(path).status_code for path in one_each(page_paths(planted))}
        put(owner.tenant, "read_only")
        before, shut = dump(), set()
        for path, status in open_ones.items():
            answer = client.get(path)
            if answer.status_code != status and status != 405:
                assert is_refusal(answer), (path, status, answer.status_code)
                shut.add(found_at(path).view_name)
        assert shut == FORMS
        assert changed(before) <= {"workspace_notification"}

    def test_what_works_changes_nothing_else(
        self, planted: Planted, owner: Actor, browser_client: Callable[..., Client]
    ) -> None:
        put(owner.tenant, "read_only")
        client, before = browser_client(owner), dump()
        for path in one_each(page_paths(planted)):
            if found_at(path).view_name in SCREENS_WRITE_UNPAID.keys() - {"signout"}:
                answer = client.post(path, {"action": "stop", "withdraw": "1"})
                assert answer.status_code not in (402, 500), path
        assert changed(before) <= MAY_CHANGE

    def test_a_suspended_workspace_serves_its_owner_the_list(
        self, planted: Planted, owner: Actor, browser_client: Callable[..., Client]
    ) -> None:
        put(owner.tenant, "suspended")
        client, before = browser_client(owner), dump()
        for path in one_each(page_paths(planted)):
            name = found_at(path).view_name
            answer = client.get(path)
            assert is_refusal(answer) is (name not in SCREENS_SERVE_SUSPENDED) or answer.status_code == 405, path
            if name not in SCREENS_WRITE_UNPAID:
                answer = client.post(path)
                assert is_refusal(answer), (path, answer.status_code)
        assert changed(before) == set()

    def test_a_suspended_workspace_serves_others_their_way_out(
        self, planted: Planted, seller: Actor, browser_client: Callable[..., Client]
    ) -> None:
        put(seller.tenant, "suspended")
        client, before = browser_client(seller), dump()
        for path in one_each(page_paths(planted)):
            match = found_at(path)
            if match.view_name in SCREENS_SERVE_SUSPENDED and declared(match.func) is PUBLIC:
                continue
            for method in ("get", "post"):
                answer = sent(client, method, path)
                assert is_refusal(answer), (method, path, answer.status_code)
        assert changed(before) == set()


def view_of(path: str) -> type[ApiView]:
    found: type[ApiView] = vars(resolve(path, django_settings.API_URLCONF).func)["cls"]
    return found


def route_name(path: str) -> str:
    name = view_of(path).__name__
    return "Export" if name.endswith("Export") else name


class TestRoutes:
    def test_the_list_is_whole(self, planted: Planted) -> None:
        views = [view_of(path) for path in api_paths(planted)]
        found = {one.__name__ for one in views if one.writes_unpaid}
        assert {"Export" if one.endswith("Export") else one for one in found} == ROUTES_WRITE_UNPAID

    def test_a_read_only_workspace_refuses_all_else(self, planted: Planted, owner: Actor, api: Any) -> None:
        client = api(owner)
        put(owner.tenant, "read_only")
        before = dump()
        for path in api_paths(planted):
            view = view_of(path)
            if route_name(path) in ROUTES_WRITE_UNPAID:
                continue
            for method in UNSAFE:
                answer = getattr(client, method)(path)
                if method == "post" and view.reads_by_post:
                    assert answer.status_code != 402, path
                else:
                    assert answer.status_code == 402, (method, path, answer.status_code)
                    assert answer.json()["error"]["code"] == "workspace_read_only"
        assert changed(before) == set()

    def test_a_read_only_workspace_is_read(self, planted: Planted, owner: Actor, api: Any) -> None:
        client = api(owner)
        open_ones = {path: client.get(path).status_code for path in api_paths(planted)}
        put(owner.tenant, "read_only")
        assert {path: client.get(path).status_code for path in open_ones} == open_ones

    def test_a_suspended_workspace_answers_no_key(self, planted: Planted, owner: Actor, api: Any) -> None:
        client = api(owner)
        put(owner.tenant, "suspended")
        before = dump()
        for path in api_paths(planted):
            for method in ("get", *UNSAFE):
                answer = getattr(client, method)(path)
                assert (answer.status_code, answer.json()["error"]["code"]) == (403, "workspace_suspended"), path
        assert changed(before) == set()
