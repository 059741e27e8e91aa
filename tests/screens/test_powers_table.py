"""Every power over the workspace × what it is used on × whose that is, on screen and by API, against one table; and
that who has none of them reaches what is their own and nothing else.

The powers come from ``GRANTABLE_POWERS``: a new one is in the table by itself, and reaches nothing until it has a row.
Takes its time for some 600 requests.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import pytest
from django.db import transaction
from django.urls import reverse

from crm.records.jobs.jobs import job_start
from crm.records.models import SavedView
from crm.workspace.actors import actor_for_member
from crm.workspace.errors import WorkspaceError
from crm.workspace.models import Member, Role
from crm.workspace.people import invitation_services, role_services
from crm.workspace.permissions import EVERYTHING, GRANTABLE_POWERS
from crm.workspace.settings.pages import PAGES
from tenants.accounts.api_keys import api_key_create
from tenants.actors import Actor
from tests import factories

WHOSE = ("own", "colleague", "beyond")
"""The reader's, that of somebody in the same role, and the owner's, whose role the reader's does not cover."""
NOBODYS: tuple[str, ...] = ()
OWN, EQUALS, ALL = ("own",), ("own", "colleague"), WHOSE
PAIRS = [{"api_keys", "members"}, {"api_keys", "settings"}, {"members", "roles"}]
WORK = {"*": {"view": "all", "edit": "all", "bulk": "all"}}
OK = {200, 201, 202, 204, 302}

type Reach = dict[frozenset[str], tuple[str, ...]]
type Try = Callable[["Office", str], Any]


@dataclass(frozen=True)
class Office:
    """The reader's browser and program, and by whose they are: members, keys, invitations, roles, views, jobs."""

    reader: Actor
    screen: Any
    key: Any
    things: dict[str, dict[str, Any]]

    def id(self, kind: str, whose: str) -> UUID:
        found: UUID = self.things[kind][whose].pk
        return found


def by(*powers: str, reach: tuple[str, ...] = ALL) -> Reach:
    return {frozenset(powers): reach}


def named_on(page: str, name: str) -> Try:
    """Answers whether the page names the thing."""
    return lambda o, whose: f"{name} {whose}" in o.screen.get(page).content.decode()


def posted(path: str, kind: str, **data: str) -> Try:
    return lambda o, whose: o.screen.post(path.format(o.id(kind, whose)), data)


def sent(method: str, path: str, kind: str, body: Any = None) -> Try:
    def work(o: Office, whose: str) -> Any:
        given = () if method in ("get", "delete") else (body or {},)
        return getattr(o.key, method)(path.format(o.id(kind, whose)), *given)

    return work


def role_saved(o: Office, whose: str) -> Any:
    role = o.things["role"][whose]
    actor = actor_for_member(o.reader.tenant, UUID(str(o.reader.member_id)))
    assert actor is not None
    return role_services.role_update(
        actor, role_id=role.pk, name=f"{role.name} anew", permissions=role.permissions, fields=role.fields
    )


MEMBERS = by("members", reach=EQUALS)
KEYS = by("api_keys", reach=OWN) | by("api_keys", "members") | by("api_keys", "settings")
WHY = {frozenset[str](): OWN} | by("members")
JOBS = {frozenset[str](): OWN} | by("settings")
TABLE: list[tuple[str, Try, Reach]] = [
    ("a key is listed", named_on("/settings/api/", "Key"), KEYS),
    ("a key is revoked", posted("/settings/api/keys/{}/revoke/", "key"), KEYS),
    ("a role is given", sent("patch", "/api/v1/members/{}", "member", {"role": "read_only"}), MEMBERS),
    ("a place is given", sent("patch", "/api/v1/members/{}", "member", {"manager": None}), by("members")),
    ("somebody leaves", sent("post", "/api/v1/members/{}/deactivate", "member"), MEMBERS),
    ("it is said why they see it", sent("get", "/api/v1/deals/{{}}/why?member={}", "member"), WHY),
    ("an invitation is sent again", sent("post", "/api/v1/invitations/{}/resend", "invitation"), MEMBERS),
    ("an invitation is revoked", sent("delete", "/api/v1/invitations/{}", "invitation"), MEMBERS),
    ("a role is changed", role_saved, by("roles", reach=EQUALS)),
    ("a role is removed", posted("/settings/roles/{}/delete/", "spare role"), by("roles", reach=EQUALS)),
    ("a shared view is changed", posted("/deals/views/{}/", "view", name="Anew"), JOBS),
    ("a view of one's own is changed", posted("/deals/views/{}/", "private view", name="Anew"), {frozenset(): OWN}),
    ("work is looked at", lambda o, whose: o.screen.get(f"/jobs/{o.id('job', whose)}/"), JOBS),
    ("work is stopped", posted("/jobs/{}/cancel/", "job"), JOBS),
    ("work is stopped by API", sent("post", "/api/v1/jobs/{}/cancel", "job"), JOBS),
    ("what was done is read", named_on("/settings/audit/", "Work"), by("audit")),
]
"""What is done, how, and whose things which powers reach together; with no power at all under the empty set."""


@pytest.fixture
def office(
    owner: Actor,
    seller: Actor,
    seller_two: Actor,
    browser_client: Callable[..., Any],
    api: Callable[..., Any],
) -> Office:
    people = dict(zip(WHOSE, (seller, seller_two, owner), strict=True))
    role = Role.objects.create(slug="powers", name="Powers", permissions=WORK)
    wide = Role.objects.create(slug="wide", name="Wide", permissions={"*": {**WORK["*"], "delete": "all"}})
    Member.objects.filter(id__in=[str(seller.member_id), str(seller_two.member_id)]).update(role=role)
    things: dict[str, dict[str, Any]] = {
        "member": {whose: Member.objects.get(id=str(one.member_id)) for whose, one in people.items()},
        "role": {
            "own": role,
            "colleague": Role.objects.create(slug="low", name="Low", permissions=WORK),
            "beyond": wide,
        },
        "spare role": {
            whose: Role.objects.create(slug=f"spare-{whose}", name=f"Spare {whose}", permissions=rights)
            for whose, rights in zip(WHOSE, (WORK, WORK, wide.permissions), strict=True)
        },
    }
    kinds = ("key", "invitation", "view", "private view", "job")
    things |= {kind: {} for kind in kinds}
    for whose, one in people.items():
        may = replace(one, permissions=EVERYTHING)
        things["key"][whose] = api_key_create(may, name=f"Key {whose}", scopes=["deal:read"])[0]
        things["invitation"][whose] = invitation_services.invitation_send(
            may, email=f"{whose}@new.example", role="owner" if whose == "beyond" else "read_only"
        )
        for kind, sharing in (("view", "everyone"), ("private view", "private")):
            things[kind][whose] = SavedView.objects.create(
                noun="deal", owner_id=UUID(str(one.member_id)), name=f"{kind} {whose}", sharing=sharing
            )
        things["job"][whose] = job_start(one, "bulk", {}, title=f"Work {whose}", noun="deal")
    deal = factories.deal(owner)
    key = api(seller)
    reads = key.get
    key.get = lambda path: reads(path.replace("{}", str(deal.pk)))
    return Office(seller, browser_client(seller), key, things)


@pytest.mark.slow("asks for each power of each role")
def test_each_power_reaches_whom_the_table_says(office: Office) -> None:
    wrong = []
    for powers in [set(), *({one} for one in GRANTABLE_POWERS), *PAIRS]:
        rights = {**WORK, "workspace": dict.fromkeys(powers, "all")}
        Role.objects.filter(slug__in=("powers", "low")).update(permissions=rights)
        for one in office.things["role"].values():
            one.refresh_from_db()
        for what, work, reach in TABLE:
            reached = {whose for needed, those in reach.items() if needed <= powers for whose in those}
            done = {whose for whose in WHOSE if tried(work, office, whose)}
            if done != reached:
                wrong.append(f"{sorted(powers) or 'nothing'}: {what}: reaches {done}, not {reached}")
    assert not wrong, "\n".join(wrong)


def tried(work: Try, office: Office, whose: str) -> bool:
    """Whether it was let through; what it did is undone at once."""
    with transaction.atomic():
        try:
            answer = work(office, whose)
        except WorkspaceError:
            answer = False
        transaction.set_rollback(True)
    status = getattr(answer, "status_code", None)
    assert status is None or status < 500, (work, whose)
    return bool(answer) if status is None else status in OK


@pytest.mark.slow("opens each page of the settings with each power")
def test_each_page_of_the_settings_opens_by_its_own_power(seller: Actor, browser_client: Callable[..., Any]) -> None:
    role = Role.objects.create(slug="powers", name="Powers")
    Member.objects.filter(id=str(seller.member_id)).update(role=role)
    screen = browser_client(seller)
    for power in ("", *GRANTABLE_POWERS):
        rights = {"*": {"view": "all"}, "workspace": {power: "all"} if power else {}}
        Role.objects.filter(pk=role.pk).update(permissions=rights)
        addresses = {page.slug: reverse(page.url_name, urlconf="config.urls_tenant") for page in PAGES}
        opened = {slug for slug, address in addresses.items() if screen.get(address).status_code == 200}
        assert opened == {page.slug for page in PAGES if page.power in ("", power)}, power
