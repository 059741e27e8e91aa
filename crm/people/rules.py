"""What must hold of companies and contacts."""

from uuid import UUID

from django.db import connection
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.people.models import Company
from crm.records.batch import Batch


def domain_is_tidy(batch: Batch) -> None:
    for draft in batch.drafts:
        if "domain" in draft.changed and draft.after.get("domain"):
            bare = draft.after["domain"].strip().lower().split("://")[-1].split("/")[0].removeprefix("www.")
            draft.set("domain", bare)


def parents_form_no_circle(batch: Batch) -> None:
    """Refuse a company that would stand above itself, counting the other changes of the same batch."""
    moved = {
        draft.record.pk: draft
        for draft in batch.drafts
        if "parent" in draft.changed and draft.record and draft.after["parent"]
    }
    if not moved:
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || ':company.parent', 0))")
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
    """Keep a contact's full name and its two parts in step; the parts win when both are given."""
    for draft in batch.drafts:
        if batch.action not in {"create", "update"}:
            return
        if draft.changed & {"first_name", "last_name"}:
            parts = (draft.after.get("first_name"), draft.after.get("last_name"))
            draft.set("name", " ".join(part for part in parts if part) or draft.after.get("name") or "")
        elif "name" in draft.changed:
            first, _space, last = (draft.after["name"] or "").rpartition(" ")
            draft.set("first_name", first)
            draft.set("last_name", last)


def birthday_has_been(batch: Batch) -> None:
    today = timezone.now().astimezone(batch.actor.time_zone).date()
    for draft in batch.drafts:
        if "birthday" in draft.changed and draft.after.get("birthday") and draft.after["birthday"] > today:
            draft.error("birthday", "in_the_future", _("A birthday cannot lie in the future."))
