"""Reading the audit: the events of sign-ins, members, roles, keys, settings and exports, the newest first."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext

from crm.records.errors import NotFound
from crm.records.models import Event
from crm.records.write.event_store import id_from
from crm.workspace.auditing import AUDITED
from crm.workspace.models import Member, Role, Team
from crm.workspace.people.role_editor import RIGHT_LABELS, SCOPE_LABELS, Rights
from crm.workspace.permissions import ACTION_LABELS, GRANTABLE_POWERS, RoleNoun, role_nouns
from crm.workspace.text.formats import date_text, moment_text
from tenants.actors import Actor
from tenants.ids import id_of
from tenants.workspaces.limits import history_from, require_feature

PAGE = 50

KINDS: Mapping[str, tuple[Promise, tuple[str, ...]]] = {
    "sign_ins": (_("Sign-ins"), ("session",)),
    "people": (_("Members and teams"), ("member", "team")),
    "invitations": (_("Invitations"), ("invitation",)),
    "roles": (_("Roles"), ("role",)),
    "keys": (_("API keys"), ("api_key",)),
    "settings": (_("Settings"), ("settings",)),
    "billing": (_("Plan and payments"), ("billing",)),
    "exports": (_("Exports"), ("export",)),
    "jobs": (_("Work in bulk"), ("job",)),
}
LABELS: Mapping[str, Promise] = {
    "session.started": _("signed in"),
    "session.ended": _("signed out"),
    "session.refused": _("was not let in"),
    "session.locked": _("was locked out"),
    "session.new_device": _("came in by a new device"),
    "session.second_failed": _("failed the second step"),
    "session.password_changed": _("changed the password"),
    "session.email_changed": _("changed the email address"),
    "session.email_restored": _("took back a change of address"),
    "session.totp_added": _("added an authenticator app"),
    "session.totp_removed": _("removed the authenticator app"),
    "session.passkey_added": _("added a passkey"),
    "session.passkey_removed": _("removed a passkey"),
    "session.passkey_refused": _("was refused with a passkey, perhaps copied"),
    "session.recovery_made": _("made new recovery codes"),
    "session.recovery_used": _("used a recovery code"),
    "session.factors_reset": _("lost the second factors, by the operator"),
    "session.support_allowed": _("let support in"),
    "session.support_withdrawn": _("lets support in no more"),
    "session.support_entered": _("was visited: support came in as this member"),
    "session.support_left": _("was visited: support left"),
    "member.created": _("became a member"),
    "member.updated": _("changed a member"),
    "member.deactivated": _("deactivated a member"),
    "member.reactivated": _("let a member in again"),
    "member.calendar_feed_made": _("made a calendar address"),
    "member.calendar_feed_stopped": _("ended a calendar address"),
    "team.created": _("made a team"),
    "team.updated": _("changed a team"),
    "team.deleted": _("removed a team"),
    "invitation.sent": _("invited somebody"),
    "invitation.resent": _("sent an invitation again"),
    "invitation.revoked": _("revoked an invitation"),
    "invitation.accepted": _("accepted an invitation"),
    "role.created": _("made a role"),
    "role.updated": _("changed a role"),
    "role.deleted": _("removed a role"),
    "api_key.created": _("made an API key"),
    "api_key.revoked": _("revoked an API key"),
    "settings.updated": _("changed settings"),
    "settings.holidays_added": _("added holidays"),
    "settings.holiday_removed": _("removed a holiday"),
    "settings.rates_imported": _("took over exchange rates from a file"),
    "settings.rate_added": _("set an exchange rate"),
    "settings.rate_corrected": _("corrected an exchange rate"),
    "settings.rate_removed": _("removed an exchange rate"),
    "settings.address_changed": _("changed the address"),
    "settings.currency_added": _("added a currency"),
    "settings.currency_removed": _("removed a currency"),
    "settings.logo_changed": _("changed the logo"),
    "settings.logo_removed": _("removed the logo"),
    "billing.checkout_started": _("went to the checkout"),
    "billing.plan_changed": _("changed the plan"),
    "billing.seats_changed": _("changed the number of paid seats"),
    "billing.canceled": _("cancelled the subscription"),
    "billing.reactivated": _("took back the cancelling of the subscription"),
    "billing.coupon_applied": _("entered a coupon"),
    "billing.details_changed": _("changed the billing details"),
    "export.finished": _("exported records"),
    "job.started": _("began work in bulk"),
}
FIELD_LABELS: Mapping[str, Promise] = {
    "name": _("Name"),
    "email": _("Email"),
    "role": _("Role"),
    "team": _("Team"),
    "manager": _("Manager"),
    "head": _("Head"),
    "parent": _("Part of"),
    "state": _("State"),
    "address": _("Address"),
    "method": _("By"),
    "rows": _("Rows"),
    "noun": _("Of"),
    "title": _("What"),
    "device": _("Device"),
    "scopes": _("Scopes"),
    "permissions": _("Rights"),
    "fields": _("Fields"),
    "about": _("What it is for"),
    "expires_at": _("Ends"),
    "operator": _("Operator"),
    "public_id": _("Key"),
    "currency": _("Currency"),
    "locale": _("Language"),
    "time_zone": _("Time zone"),
    "plan": _("Plan"),
    "interval": _("Interval"),
    "seats": _("Seats"),
    "amount": _("Amount"),
    "reason": _("Reason"),
    "comment": _("Comment"),
    "coupon": _("Coupon"),
    "vat_id": _("VAT ID"),
    "until": _("Until"),
}
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")
SHORT = 160
FEW = 4
"""Up to so many holidays of one entry are named; more are counted."""


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing in an entry: ``before`` is empty where there was nothing to compare with.

    ``items`` are what ``after`` only counts.
    """

    label: str
    before: str
    after: str
    items: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Entry:
    id: UUID
    at: datetime
    type: str
    who: str
    what: str
    whom: str
    facts: Sequence[Fact]


@dataclass(frozen=True, slots=True)
class Page:
    """``since`` is from when on the plan shows entries, None from the beginning; ``is_cut`` that there are older."""

    entries: list[Entry]
    next: UUID | None
    since: datetime | None = None
    is_cut: bool = False


def audit_page(
    actor: Actor,
    *,
    member_id: UUID | None = None,
    kind: str = "",
    since: date | None = None,
    until: date | None = None,
    before: UUID | None = None,
    limit: int = PAGE,
) -> Page:
    """The newest entries older than ``before``: of what one member did, of a kind, of days of the actor's zone.

    Nothing from before the days that the plan shows. Raises NotFound for who may not see the audit, and FeatureMissing.
    """
    if not actor.can("workspace", "audit"):
        raise NotFound
    require_feature(actor.tenant, "audit_log")
    nouns = KINDS[kind][1] if kind in KINDS else AUDITED
    rows: QuerySet[Event] = Event.objects.filter(record_type__in=nouns)
    if member_id is not None:
        rows = rows.filter(change_set__member_id=member_id)
    if since is not None:
        rows = rows.filter(id__gte=id_from(datetime.combine(since, time.min, actor.time_zone)))
    if until is not None and until < date.max:
        rows = rows.filter(id__lt=id_from(datetime.combine(until + timedelta(days=1), time.min, actor.time_zone)))
    if before is not None:
        rows = rows.filter(id__lt=before)
    shown_from = history_from(actor.tenant)
    is_cut = False
    if shown_from is not None:
        is_cut = rows.filter(id__lt=id_from(shown_from)).exists()
        rows = rows.filter(id__gte=id_from(shown_from))
    found = list(rows.select_related("change_set").order_by("-id")[: limit + 1])
    shown = found[:limit]
    names = names_of(shown)
    more = shown[-1].pk if len(found) > limit else None
    return Page([entry_of(event, names) for event in shown], more, shown_from, is_cut and more is None)


def names_of(events: Sequence[Event]) -> dict[str, str]:
    """What the members, teams and roles in the events are called now, by id (roles by slug): three statements."""
    found = {str(key): name for key, name in Team.objects.values_list("id", "name")}
    found |= {role.slug: role.label for role in Role.objects.all()}
    wanted = {str(event.record_id) for event in events if event.record_type in ("member", "session")}
    for event in events:
        for values in (event.before, event.after):
            wanted |= {str(values[slug]) for slug in ("manager", "head", "member") if values.get(slug)}
    people = Member.objects.filter(id__in=[one for one in wanted if id_of(one)]).values_list("id", "name")
    return found | {str(key): name for key, name in people}


def entry_of(event: Event, names: Mapping[str, str]) -> Entry:
    label = LABELS.get(event.type)
    who = event.change_set.actor_label
    whom = names.get(str(event.record_id), "") if event.record_type == "member" else ""
    if not whom and event.record_type != "session":
        values = event.after or event.before
        whom = str(values.get("name") or values.get("email") or values.get("title") or "")[:SHORT]
    return Entry(
        id=event.pk,
        at=event.at,
        type=event.type,
        who=who,
        what=str(label) if label else event.type.partition(".")[2].replace("_", " "),
        whom=whom,
        facts=[fact for fact in facts_of(event, names) if (fact.before, fact.after) != ("", whom)],
    )


def facts_of(event: Event, names: Mapping[str, str]) -> list[Fact]:
    """What is new or different."""
    if event.type == "settings.holidays_added" and len(event.after) > FEW:
        days = [date_text(date.fromisoformat(one)) for one in (min(event.after), max(event.after))]
        text = _("%(count)d, from %(first)s to %(last)s") % {
            "count": len(event.after),
            "first": days[0],
            "last": days[1],
        }
        return [Fact(str(_("Holidays")), "", text)]
    facts = []
    for slug in {**event.before, **event.after}:
        before, after = event.before.get(slug), event.after.get(slug)
        if not (event.before and event.after) and slug in ("name", "title", "state", "slug"):
            continue
        if event.type.startswith("role.") and slug in ("permissions", "fields"):
            facts += rights_facts(slug, before or {}, after or {}, changed=bool(event.before and event.after))
            continue
        if slug == "scopes" and after and len(after) > FEW:
            text = ngettext("%(count)d scope", "%(count)d scopes", len(after)) % {"count": len(after)}
            facts.append(Fact(str(FIELD_LABELS[slug]), "", text, after))
            continue
        if before == after or (after in (None, "", [], {}) and before in (None, "", [], {})):
            continue
        label = FIELD_LABELS.get(slug)
        facts.append(
            Fact(str(label) if label else slug.replace("_", " ").capitalize(), said(before, names), said(after, names))
        )
    return facts


def rights_facts(slug: str, before: Rights, after: Rights, *, changed: bool) -> list[Fact]:
    """What of a role's rights differs, a line for each record type; a new role's are what it grants and narrows."""
    labels = SCOPE_LABELS if slug == "permissions" else RIGHT_LABELS
    nothing = "none" if slug == "permissions" else ""
    items = []
    for noun in (*role_nouns(), None):
        place = noun.slug if noun else "workspace"
        old, new = before.get(place, {}), after.get(place, {})
        words = []
        for key, label in right_labels(noun, slug).items():
            was, now = old.get(key, nothing), new.get(key, nothing)
            if was != now:
                shown = (was, now) if changed else (now if after else was,)
                words.append(f"{label}: {' → '.join(str(labels.get(one, one)) for one in shown)}")
        if words:
            items.append(f"{noun.label if noun else _('Workspace')} · {', '.join(words)}")
    if not items:
        return []
    text = ngettext("%(count)d record type", "%(count)d record types", len(items)) % {"count": len(items)}
    return [Fact(str(FIELD_LABELS[slug]), "", text, items)]


def right_labels(noun: RoleNoun | None, slug: str) -> Mapping[str, Promise | str]:
    """What of a noun (None: of the workspace) a role says something, in its order, by key."""
    if slug == "fields":
        return {one.slug: one.label for one in noun.fields} if noun else {}
    return ACTION_LABELS if noun else GRANTABLE_POWERS


def said(value: Any, names: Mapping[str, str]) -> str:
    if value in (None, ""):
        return ""
    if isinstance(value, str) and MOMENT.match(value):
        return moment_text(datetime.fromisoformat(value))
    if isinstance(value, list | tuple):
        return short(", ".join(said(one, names) for one in value))
    if isinstance(value, dict):
        return short(", ".join(f"{key}: {said(one, names)}" for key, one in value.items()))
    return short(names.get(str(value), str(value)))


def short(text: str) -> str:
    return text if len(text) <= SHORT else f"{text[: SHORT - 1].rstrip()}…"
