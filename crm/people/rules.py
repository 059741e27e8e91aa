"""What must hold of companies and contacts."""

from collections.abc import Mapping
from functools import partial
from uuid import UUID

from django.utils import timezone
from django.utils.translation import gettext as _

from crm.people import names
from crm.people.models import Company
from crm.records.write.batch import Batch, Draft
from crm.records.write.limits import added, counted, hold_room
from tenants.db.locks import advisory_lock

PARTS = ("first_name", "last_name")


def parents_form_no_circle(batch: Batch) -> None:
    """Refuse a company that would stand above itself, counting the other changes of the same batch."""
    moved = {
        draft.record.pk: draft
        for draft in batch.drafts
        if "parent" in draft.changed and draft.record and draft.after["parent"]
    }
    if not moved:
        return
    advisory_lock("company.parent")
    above: dict[UUID, UUID | None] = {pk: draft.after["parent"] for pk, draft in moved.items()}
    frontier = {parent for parent in above.values() if parent} - above.keys()
    while frontier:
        found = dict(Company.objects.filter(pk__in=frontier).values_list("pk", "parent_id"))
        above.update(found)
        frontier = {parent for parent in found.values() if parent} - above.keys()
    for pk, draft in moved.items():
        seen: set[UUID] = set()
        company = draft.after["parent"]
        while company and company not in seen and company != pk:
            seen.add(company)
            company = above.get(company)
        if company:
            draft.error("parent", "parent_cycle", _("A company cannot stand above itself."))


def name_follows_its_parts(batch: Batch) -> None:
    """Keep a contact's full name and its two parts in step. A name sent beside parts that it is not made of is refused.

    A blank part of a new contact says nothing; one of an old contact clears the part.
    """
    if batch.action not in {"create", "update"}:
        return
    for draft in batch.drafts:
        if not draft.changed & {"name", *PARTS}:
            continue
        name = draft.after["name"] if "name" in draft.given else ""
        said = {slug: draft.after[slug] for slug in PARTS if slug in draft.given}
        said = {slug: part for slug, part in said.items() if part or draft.before[slug]}
        if not name:
            if draft.changed & set(PARTS):
                draft.set("name", names.joined(*(draft.after[slug] for slug in PARTS)) or draft.after["name"])
            continue
        if any(said.values()) or len(said) == 1:
            parts = names.remainder(name, said.get("first_name"), said.get("last_name"))
        else:
            parts = names.corrected(draft.before["first_name"], draft.before["last_name"], name)
        if parts is not None:
            _set_parts(draft, parts)
        elif not batch.restoring:
            draft.error("name", "contradicts_parts", _contradiction(name, said))


def _set_parts(draft: Draft, parts: tuple[str, str]) -> None:
    for slug, part in zip(PARTS, parts, strict=True):
        limit = draft.batch.record_type.field(slug).max_length or 0
        if len(part) > limit:
            problem = _("A first or a last name has at most %(limit)d characters.") % {"limit": limit}
            draft.error("name", "too_long", problem)
        else:
            draft.set(slug, part)


def _contradiction(name: str, said: Mapping[str, str]) -> str:
    parts = {"name": name, "first": said.get("first_name", ""), "last": said.get("last_name", "")}
    if len(said) == 2:
        problem = _("“%(name)s” is not made of the first name “%(first)s” and the last name “%(last)s”.")
    elif "first_name" in said:
        problem = _("“%(name)s” does not begin with the first name “%(first)s”.")
    else:
        problem = _("“%(name)s” does not end with the last name “%(last)s”.")
    return f"{problem % parts} {_('Send the whole name, or its parts.')}"


def birthday_has_been(batch: Batch) -> None:
    today = timezone.now().astimezone(batch.actor.time_zone).date()
    for draft in batch.drafts:
        if "birthday" in draft.changed and draft.after.get("birthday") and draft.after["birthday"] > today:
            draft.error("birthday", "in_the_future", _("A birthday cannot lie in the future."))


def contacts_have_room(batch: Batch) -> None:
    """No more contacts are added than the plan holds."""
    hold_room(batch, "contacts", added(batch), partial(counted, batch.record_type))
