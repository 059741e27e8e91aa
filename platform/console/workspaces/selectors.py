"""The workspaces as operators see them: searched, narrowed, and how each of them is."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

from django.db.models import Count, Exists, F, Func, Max, Min, OuterRef, Q, QuerySet, Subquery, TextField, Value
from django.db.models.functions import Coalesce, Concat, Lower
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.billing.attention import accounts_troubled
from console.workspaces.inside import Inside, inside
from tenants.actors import TenantRef
from tenants.db.database_roles import installation, role_of
from tenants.db.release import template_digest
from tenants.models import ApiKey, Domain, Membership, Session, Tenant, TenantStep, Wakeup, is_behind
from tenants.selectors import BUILT
from tenants.workspaces.finishing import SETUP, UNFINISHED

PAGE = 50
MEMBERS = 50
STEPS = 40
LATE = timedelta(minutes=5)
"""Work that has been due for so long is not done: workers are down, or the workspace's work fails."""

HEALTH: Mapping[str, Promise] = {
    "unfinished": _("setup failed"),
    "behind": _("behind this release"),
    "waiting": _("work is waiting"),
    "billing": _("billing needs a look"),
}
"""What can be wrong with a workspace, by the word in the address."""

SORTS: Mapping[str, Promise] = {
    "": _("Newest first"),
    "oldest": _("Oldest first"),
    "name": _("By name"),
    "ends": _("Whose billing changes first"),
}
"""Orders of the list, by the word in the address."""
SORT_KEYS: Mapping[str, Func] = {
    "name": Lower("name"),
    "ends": Coalesce("access_until", Value(datetime(9999, 1, 1, tzinfo=UTC))),
}
"""By what they are, where it is not when the workspace was made."""


@dataclass(frozen=True, slots=True)
class WorkspaceRow:
    """A line of the list. ``seats`` are active members, ``limit`` None is none; ``problems`` words of HEALTH."""

    tenant: Tenant
    host: str
    seats: int
    limit: int | None
    last_activity: datetime | None
    waiting_since: datetime | None
    problems: Sequence[str]

    @property
    def labels(self) -> list[Promise]:
        return [HEALTH[one] for one in self.problems]


@dataclass(frozen=True, slots=True)
class WorkspacePage:
    """``next`` is the id after which the list goes on, None at its end; ``count`` is how many there are in all."""

    rows: list[WorkspaceRow]
    next: UUID | None
    count: int


def workspaces_matching(
    *, q: str = "", state: str = "", access: str = "", plan: str = "", health: str = ""
) -> QuerySet[Tenant]:
    """Workspaces by a name, host, member's address or id; by state, billing's state, plan and what is wrong."""
    rows: QuerySet[Tenant] = Tenant.objects.all()
    if state:
        rows = rows.filter(state=state)
    if access:
        rows = rows.filter(access_state=access)
    if plan:
        rows = rows.filter(plan_name=plan)
    if health:
        rows = _with_problem(rows, health)
    for word in q.split():
        rows = rows.filter(_found_by(word))
    return rows


def _found_by(word: str) -> Q:
    try:
        return Q(id=UUID(word))
    except ValueError:
        pass
    if "@" in word:
        return Q(Exists(Membership.objects.filter(tenant=OuterRef("pk"), user__email__istartswith=word)))
    hosts = Domain.objects.filter(tenant=OuterRef("pk"), domain__icontains=word)
    return Q(name__icontains=word) | Q(schema_name=word) | Q(Exists(hosts))


def _with_problem(rows: QuerySet[Tenant], health: str) -> QuerySet[Tenant]:
    match health:
        case "unfinished":
            return rows.filter(state__in=UNFINISHED, created_at__lt=timezone.now() - SETUP)
        case "behind":
            known = set(rows.filter(state__in=BUILT).values_list("schema_version", flat=True).distinct())
            return rows.filter(state__in=BUILT, schema_version__in=behind_among(known))
        case "waiting":
            role = Concat(Value(f"{installation()}_"), F("schema_name"), output_field=TextField())
            late = Wakeup.objects.filter(role=OuterRef("role"), due_at__lt=timezone.now() - LATE)
            waiting: QuerySet[Tenant] = rows.filter(state__in=BUILT).alias(role=role).filter(Exists(late))
            return waiting
        case "billing":
            return rows.filter(Exists(accounts_troubled().filter(tenant=OuterRef("pk"))))
    raise ValueError(f"{health!r} is no word of HEALTH.")


def behind_among(versions: Collection[str]) -> set[str]:
    """Those of the releases that are before this process's."""
    return {one for one in versions if one != template_digest() and is_behind(one)}


def workspace_page(
    rows: QuerySet[Tenant], *, sort: str = "", after: UUID | None = None, limit: int = PAGE
) -> WorkspacePage:
    """The first workspaces among ``rows`` in an order of SORTS, those that follow ``after``; what they do is asked for
    those shown only."""
    found = list(_sorted(rows, sort, after)[: limit + 1])
    shown = found[:limit]
    return WorkspacePage(workspace_rows(shown), shown[-1].id if len(found) > limit else None, rows.count())


def _sorted(rows: QuerySet[Tenant], sort: str, after: UUID | None) -> QuerySet[Tenant]:
    key = SORT_KEYS.get(sort)
    if key is None:
        order, further = ("id", "id__gt") if sort == "oldest" else ("-id", "id__lt")
        return (rows if after is None else rows.filter(**{further: after})).order_by(order)
    keyed: QuerySet[Tenant] = rows.alias(key=key)
    if after is not None:
        last = Subquery(Tenant.objects.filter(id=after).annotate(key=key).values("key")[:1])
        keyed = keyed.filter(Q(key__gt=last) | Q(key=last, id__gt=after))
    return keyed.order_by("key", "id")


def workspace_rows(tenants: Sequence[Tenant]) -> list[WorkspaceRow]:
    ids, now = [one.id for one in tenants], timezone.now()
    primary = Domain.objects.filter(tenant__in=ids, is_primary=True)
    hosts: dict[UUID, str] = dict(primary.values_list("tenant_id", "domain"))
    active = Membership.objects.filter(tenant__in=ids, state=Membership.State.ACTIVE)
    seats: dict[UUID, int] = dict(active.values("tenant_id").annotate(n=Count("id")).values_list("tenant_id", "n"))
    seen = _last_activity(ids)
    late = Wakeup.objects.filter(role__in=[role_of(one.schema_name) for one in tenants], due_at__lt=now - LATE)
    waiting: dict[str, datetime] = dict(late.values("role").annotate(since=Min("due_at")).values_list("role", "since"))
    billing = set(accounts_troubled().filter(tenant__in=ids).values_list("tenant_id", flat=True))
    behind = behind_among({one.schema_version for one in tenants})
    rows = []
    for one in tenants:
        since = waiting.get(role_of(one.schema_name)) if one.state in BUILT else None
        problems = {
            "unfinished": one.state in UNFINISHED and one.created_at < now - SETUP,
            "behind": one.state in BUILT and one.schema_version in behind,
            "waiting": since is not None,
            "billing": one.id in billing,
        }
        rows.append(
            WorkspaceRow(
                tenant=one,
                host=hosts.get(one.id, ""),
                seats=seats.get(one.id, 0),
                limit=one.limits.get("seats"),
                last_activity=seen.get(one.id),
                waiting_since=since,
                problems=[word for word, there in problems.items() if there],
            )
        )
    return rows


def _last_activity(ids: Sequence[UUID]) -> dict[UUID, datetime]:
    """When somebody was last there in a browser, or a program with a key, as far as that is still known."""
    seen = Session.objects.filter(tenant_id__in=ids).values("tenant_id").annotate(at=Max("last_seen_at"))
    found: dict[UUID, datetime] = {one["tenant_id"]: one["at"] for one in seen if one["tenant_id"]}
    keys = ApiKey.objects.filter(tenant__in=ids, last_used_at__isnull=False)
    for tenant_id, at in keys.values("tenant_id").annotate(at=Max("last_used_at")).values_list("tenant_id", "at"):
        found[tenant_id] = max(at, found.get(tenant_id, at))
    return found


def plan_names() -> list[str]:
    """The plans that workspaces have, by name."""
    return list(
        Tenant.objects.exclude(plan_name="").order_by("plan_name").values_list("plan_name", flat=True).distinct()
    )


@dataclass(frozen=True, slots=True)
class MemberRow:
    membership: Membership
    last_seen: datetime | None


@dataclass(frozen=True, slots=True)
class WorkspaceDetail:
    """One workspace. ``members`` are the first of ``member_count``; ``problem`` says why nothing is known of inside."""

    row: WorkspaceRow
    ref: TenantRef
    domains: list[Domain]
    members: list[MemberRow]
    member_count: int
    steps: list[TenantStep]
    inside: Inside | None
    problem: str | Promise


def workspace_detail(tenant: Tenant) -> WorkspaceDetail:
    ref = tenant.ref()
    memberships = Membership.objects.select_related("user").filter(tenant=tenant).order_by("state", "id")
    shown = list(memberships[:MEMBERS])
    sessions = Session.objects.filter(tenant_id=tenant.id, user_id__in=[one.user_id for one in shown])
    seen = {one["user_id"]: one["at"] for one in sessions.values("user_id").annotate(at=Max("last_seen_at"))}
    found: Inside | None = None
    problem: str | Promise = ""
    if tenant.state not in BUILT:
        problem = _("It has no schema to look into.")
    elif ref.is_behind:
        problem = _("It is of a release before this one: migrate_all brings it to this one.")
    else:
        found = inside(ref)
    return WorkspaceDetail(
        row=workspace_rows([tenant])[0],
        ref=ref,
        domains=list(tenant.domains.order_by("-is_primary", "domain")),
        members=[MemberRow(one, seen.get(one.user_id)) for one in shown],
        member_count=memberships.count(),
        steps=list(tenant.steps.order_by("-id")[:STEPS]),
        inside=found,
        problem=problem,
    )
