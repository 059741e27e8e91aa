"""Noting what operators look at and do, and reading it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, cast
from uuid import UUID

from console.models import AuditEntry
from tenants.accounts.browsers import visit_of
from tenants.http import Request
from tenants.models import Tenant, User

Action = AuditEntry.Action
PAGE = 50


@dataclass(frozen=True, slots=True)
class Operator:
    """Who works in the console, in which request and from where. Every service of the console takes one first."""

    user: User
    request_id: str = ""
    address: str = ""
    device: str = ""
    path: str = ""


def operator_of(request: Request) -> Operator:
    """The operator who sent a request that ``@access(OPERATOR)`` let through."""
    visit = visit_of(request)
    return Operator(
        user=cast(User, request.user),
        request_id=request.request_id,
        address=visit.address,
        device=visit.device,
        path=request.get_full_path(),
    )


def audit_note(
    operator: Operator,
    action: Action,
    *,
    tenant_id: UUID | None = None,
    about: str = "",
    reason: str = "",
    **details: Any,
) -> None:
    """Add to the audit, in the transaction that does the thing; ``details`` are plain JSON values."""
    AuditEntry.objects.create(
        operator_id=operator.user.pk,
        operator_email=operator.user.email,
        action=action,
        tenant_id=tenant_id,
        about=about[:300],
        reason=reason[:500],
        details=details,
        path=operator.path[:500],
        request_id=operator.request_id[:64],
        address=operator.address,
        device=operator.device,
    )


@contextmanager
def step_noted(
    operator: Operator, action: Action, *, tenant_id: UUID | None = None, about: str = "", reason: str = ""
) -> Iterator[dict[str, Any]]:
    """Note a step that no transaction can hold, since others are asked: first that it begins, then how it ended.

    What is put into the dict stands in the second entry, as its details. A step of which only the first entry is there
    was interrupted. What the step raises is noted and raised on.
    """
    named: dict[str, Any] = {"tenant_id": tenant_id, "about": about, "reason": reason}
    audit_note(operator, Action.BEGUN, **named, step=action.value)
    details: dict[str, Any] = {}
    try:
        yield details
    except Exception as problem:
        said = str(problem) or type(problem).__name__
        audit_note(operator, Action.STOPPED, **named, step=action.value, problem=said[:500])
        raise
    audit_note(operator, action, **named, **details)


@dataclass(frozen=True, slots=True)
class EntryPage:
    """``next`` is the id before which the list goes on, None at its end; ``names`` are the workspaces' by id."""

    entries: list[AuditEntry]
    next: UUID | None
    names: Mapping[UUID, str]

    @property
    def rows(self) -> list[tuple[AuditEntry, str]]:
        return [(one, self.names.get(one.tenant_id, "") if one.tenant_id else "") for one in self.entries]


def entry_page(
    *, operator: str = "", action: str = "", tenant: UUID | None = None, steps: bool = False, before: UUID | None = None
) -> EntryPage:
    """The newest entries older than ``before``: an operator's, of an action, of a workspace; ``steps``: no looks."""
    rows = AuditEntry.objects.all()
    if operator:
        rows = rows.filter(operator_email__istartswith=operator)
    if action:
        rows = rows.filter(action=action)
    if tenant is not None:
        rows = rows.filter(tenant_id=tenant)
    if steps:
        rows = rows.exclude(action=Action.LOOKED)
    if before is not None:
        rows = rows.filter(id__lt=before)
    found = list(rows.order_by("-id")[: PAGE + 1])
    shown = found[:PAGE]
    named = Tenant.objects.filter(id__in={one.tenant_id for one in shown if one.tenant_id})
    return EntryPage(shown, shown[-1].pk if len(found) > PAGE else None, dict(named.values_list("id", "name")))
