"""What a caller gave, taken into the drafts of a write: parsed, refused, kept within what the actor may set."""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from django.utils.translation import gettext as _

from crm.records.access.visibility import field_rights, readable_fields, require_field
from crm.records.errors import FieldError, Forbidden
from crm.records.fields.parsing import BadValue, parse
from crm.records.schema.field import SYSTEM_FIELDS
from crm.records.schema.record_type import RecordType, nearest
from crm.records.write.batch import Batch, Draft
from crm.records.write.validation import found_targets
from crm.workspace.permissions import HIDDEN, READ
from tenants.actors import Actor, Scope

MAX_VALUES = 500


def apply_input(draft: Draft, row: Mapping[str, Any], *, whole: bool = False, restoring: bool = False) -> set[str]:
    """Parse the given values into ``after``; returns the slugs that could not be taken, their errors noted."""
    actor, record_type = draft.batch.actor, draft.batch.record_type
    rights = {} if restoring else field_rights(actor, record_type)
    if not isinstance(row, Mapping):
        draft.errors.append(FieldError("", "invalid", _("This must be an object of fields."), draft.index))
        return set()
    if len(row) > MAX_VALUES:
        problem = _("At most %(most)d fields can be given.") % {"most": MAX_VALUES}
        draft.errors.append(FieldError("", "too_many", problem, draft.index))
        return set()
    bad: set[str] = set()
    for slug, raw in row.items():
        if not restoring:
            require_field(actor, record_type, slug)
        one = record_type.by_slug.get(slug)
        if one is None or (not one.editable and not restoring) or rights.get(slug):
            draft.errors.append(FieldError(str(slug), *why_not_writable(actor, record_type, str(slug)), draft.index))
            bad.add(str(slug))
            continue
        try:
            draft.after[slug] = parse(one, raw, actor)
        except BadValue as problem:
            draft.errors.append(FieldError(slug, problem.code, problem.message, draft.index))
            bad.add(slug)
    if whole:
        for one in record_type.fields:
            if one.slug not in row and one.default is not None:
                draft.after[one.slug] = one.default_for(actor)
    draft.given = frozenset(row) - bad
    return bad


def why_not_writable(actor: Actor, record_type: RecordType, slug: str) -> tuple[str, str]:
    """Why a field cannot be set. One that the role hides is answered as one that there is not."""
    right = field_rights(actor, record_type).get(slug, "")
    if right == READ and record_type.by_slug[slug].editable:
        return "not_allowed", _("Your role lets you look at “%(field)s” but not change it.") % {
            "field": record_type.by_slug[slug].label
        }
    if right != HIDDEN and (record_type.has_field(slug) or slug == "id"):
        return "read_only", _("This is kept by the system and cannot be set.")
    likely = nearest(slug, [*(one.slug for one in readable_fields(actor, record_type)), *SYSTEM_FIELDS])
    if likely:
        return "unknown_field", _("There is no field “%(slug)s”. Did you mean “%(nearest)s”?") % {
            "slug": slug[:100],
            "nearest": likely,
        }
    return "unknown_field", _("There is no field “%(slug)s”.") % {"slug": slug[:100]}


def enforce_owner_scope(batch: Batch, scope: Scope) -> None:
    """Who may only create their own, or their team's, becomes the owner, and cannot name another than these."""
    slug, actor = batch.record_type.own_field, batch.actor
    if actor.member_id is None:
        raise Forbidden
    if slug not in batch.record_type.by_slug:
        return
    for draft in batch.drafts:
        if slug not in draft.given:
            draft.after[slug] = actor.member_id
        elif not actor.reaches(scope, draft.after[slug]):
            own = _("Your role lets you add only what is your own.")
            theirs = _("Your role lets you add only what is yours or your team's.")
            draft.error(slug, "not_allowed", own if scope is Scope.OWN else theirs)


def preserve_hidden(batch: Batch) -> None:
    """What the actor was not shown stays as it is: of a list, links out of sight or in the trash; of a divided value,
    what their role hides."""
    for one in batch.record_type.fields:
        for draft in batch.drafts if one.partial_value else ():
            if one.slug in draft.given:
                draft.after[one.slug] = one.merge_hidden(batch.actor, draft.before[one.slug], draft.after[one.slug])
    for one in batch.record_type.links:
        given = [draft for draft in batch.drafts if one.slug in draft.given]
        gone = {
            draft.index: {link["id"] for link in draft.before[one.slug]}
            - {link["id"] for link in draft.after[one.slug]}
            for draft in given
        }
        every = {target for ids in gone.values() for target in ids}
        if not every:
            continue
        seen = found_targets(batch.actor, {one.target: every})
        for draft in given:
            unseen = {target for target in gone[draft.index] if (one.target, target) not in seen}
            kept = [link for link in draft.before[one.slug] if link["id"] in unseen]
            draft.after[one.slug] = sorted([*draft.after[one.slug], *kept], key=itemgetter("id"))
