"""Four who use one link, or ask for one thing, at the same moment: one has it, the others are told, nobody gets a 500.

Rows are really committed, since only then can two meet, and taken back at the end.
"""

import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
from allauth.account.forms import default_token_generator
from django.db import connections

from crm.activities.calendar.feeds import feed_make
from crm.workspace.actors import actor_for_user
from crm.workspace.people.invitation_services import invitation_send
from crm.workspace.people.selectors import seats
from tenants.accounts import services
from tenants.accounts.signup import take_over_token, workspace_reserve
from tenants.actors import Actor, TenantRef
from tenants.db.backend.base import OWNER_ALIAS
from tenants.db.scopes import owner_scope, shared, tenant_scope
from tenants.models import Tenant, User
from tenants.workspaces.limits import LimitReached
from tenants.workspaces.subdomains import SubdomainTaken
from tests.accounts.conftest import Browser
from tests.records.conftest import PATIENCE, elsewhere

PUBLIC = "http://localhost"
EMAIL = "at.once@example.com"
JOIN = {"name": "Nora New", "password": "a long enough password"}
TABLES = ("workspace_notification", "records_event", "records_changeset", "activities_calendarfeed",
          "workspace_invitation", "workspace_member")  # fmt: skip


def four[T](work: Callable[[Any], T], given: list[Any]) -> list[T]:
    """What ``work`` gives four threads that begin together, each with one of the given."""
    start = threading.Barrier(len(given))

    def run(one: Any) -> Callable[[], T]:
        def together() -> T:
            start.wait(PATIENCE)
            return work(one)

        return elsewhere(together)

    return [wait() for wait in [run(one) for one in given]]


def browsers() -> list[Browser]:
    return [Browser() for _one in range(4)]


def statuses(answers: list[Any]) -> list[int]:
    return sorted(one.status_code for one in answers)


def committed[T](work: Callable[[], T]) -> T:
    def done() -> T:
        with shared():
            return work()

    return elsewhere(done)()


def account(email: str = EMAIL, *, verified: bool = False) -> User:
    return committed(lambda: services.account_create(email=email, password=JOIN["password"], verified=verified))


@pytest.fixture(autouse=True)
def taken_back(django_db_blocker: Any, tenant_a: TenantRef) -> Iterator[None]:
    """All that is committed to workspace A and for EMAIL goes again."""

    def newest() -> dict[str, Any]:
        with owner_scope(tenant_a.schema_name), connections[OWNER_ALIAS].cursor() as cursor:
            found = {}
            for table in TABLES:
                cursor.execute(f"SELECT max(id::text) FROM {table}")
                (found[table],) = cursor.fetchone()
        return found

    def forget(before: dict[str, Any]) -> None:
        with owner_scope(tenant_a.schema_name), connections[OWNER_ALIAS].cursor() as cursor:
            for table, last in before.items():
                cursor.execute(f"DELETE FROM {table} WHERE id::text > %s", [last or ""])
        with shared():
            User.objects.filter(email=EMAIL).delete()
            Tenant.objects.filter(name="At once").delete()

    with django_db_blocker.unblock():
        before = elsewhere(newest)()
        yield
        elsewhere(lambda: forget(before))()


@pytest.fixture
def owner_of_a(the_cast: Any, tenant_a: TenantRef) -> Actor:
    def found() -> Actor:
        actor = actor_for_user(tenant_a, the_cast.users["owner"])
        assert actor is not None
        return actor

    return elsewhere(found, tenant_a)()


def test_one_comes_in_by_an_invitation(owner_of_a: Actor, tenant_a: TenantRef) -> None:
    token = elsewhere(lambda: invitation_send(owner_of_a, email=EMAIL, role="member").token, tenant_a)()
    address = f"{PUBLIC}/invitations/{token}/"
    answers = four(lambda one: one.post(address, JOIN, follow=False), browsers())
    assert statuses(answers) == [302, 410, 410, 410]
    assert all("accepted already" in one.content.decode() for one in answers if one.status_code == 410)
    assert committed(lambda: User.objects.filter(email=EMAIL).count()) == 1


def test_one_of_four_is_invited_to_the_last_seat(owner_of_a: Actor, tenant_a: TenantRef) -> None:
    taken = elsewhere(lambda: seats(tenant_a).used, tenant_a)()
    actor = replace(owner_of_a, tenant=replace(tenant_a, limits={"seats": taken + 1}))

    def invited(number: int) -> str:
        with tenant_scope(tenant_a):
            try:
                invitation_send(actor, email=f"{number}.{EMAIL}", role="member")
            except LimitReached:
                return "full"
        return "invited"

    assert sorted(four(invited, [1, 2, 3, 4])) == ["full", "full", "full", "invited"]


def test_one_account_is_made_by_two_invitations_to_the_same_address() -> None:
    """Of two workspaces: the slower is led to sign in."""

    def made(_one: Any) -> str:
        with shared():
            try:
                services.account_create(email=EMAIL, password=JOIN["password"], verified=True)
            except services.AddressTaken:
                return "taken"
        return "made"

    assert sorted(four(made, [1, 2, 3, 4])) == ["made", "taken", "taken", "taken"]


def test_one_account_proves_an_address() -> None:
    def proven(user: User) -> bool:
        with shared():
            return services.address_prove(user)

    assert sorted(four(proven, [account() for _one in range(4)])) == [False, False, False, True]


def test_a_link_to_a_new_password_is_good_once() -> None:
    user = account(verified=True)
    token = committed(lambda: default_token_generator.make_token(user))
    link = f"{PUBLIC}/password/{user.pk.hex}/{token}/"
    ready = browsers()
    for one in ready:
        elsewhere(lambda one=one: one.get(link))()  # type: ignore[misc]
    words = {"password": "an entirely new one"}
    answers = four(lambda one: one.post(f"{PUBLIC}/password/new/", words, follow=False), ready)
    assert statuses(answers) == [302, 410, 410, 410]


def test_a_workspace_is_taken_over_once() -> None:
    account(verified=True)
    link = f"{PUBLIC}/take-over/{take_over_token(account())}/"
    ready = browsers()
    for one in ready:
        sign_in = {"email": EMAIL, "password": JOIN["password"]}
        elsewhere(lambda one=one, sign_in=sign_in: one.post(f"{PUBLIC}/signin/", sign_in, follow=False))()  # type: ignore[misc]
    answers = four(lambda one: one.post(link, follow=False), ready)
    assert statuses(answers) == [302, 410, 410, 410]


def test_an_address_and_what_reads_like_it_are_one_workspaces() -> None:
    owner = account()

    def reserved(subdomain: str) -> str:
        with shared():
            try:
                workspace_reserve(
                    owner=owner, company="At once", subdomain=subdomain, locale="en", currency="EUR", time_zone="UTC"
                )
            except SubdomainTaken:
                return "taken"
        return "reserved"

    assert sorted(four(reserved, ["at-once", "at-once", "atonce", "at-0nce"])) == ["reserved", *["taken"] * 3]


def test_a_member_has_one_calendar_address(owner_of_a: Actor, tenant_a: TenantRef) -> None:
    def made(_one: Any) -> str:
        with tenant_scope(tenant_a):
            return feed_make(owner_of_a)

    assert len(set(four(made, [1, 2, 3, 4]))) == 4
