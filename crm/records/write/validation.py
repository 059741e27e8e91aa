"""What is checked before a write: what it refers to, the type's rules, what is required and what is unique."""

from collections.abc import Iterable, Mapping, Sequence
from uuid import UUID

from django.utils.translation import gettext as _

from crm.records.access.visibility import hidden_slugs, require_scope
from crm.records.errors import FieldError, Invalid
from crm.records.fields.normalising import region_of
from crm.records.fields.parsing import is_blank, keys
from crm.records.schema.field import MEMBER_TARGET
from crm.records.schema.kinds import Kind
from crm.records.schema.registry import registry
from crm.records.write.batch import Batch, Draft
from crm.records.write.rules import rules_of
from crm.records.write.statements import any_of, find_each, named, target_rows
from crm.workspace.configuration import workspace_settings
from tenants.actors import Actor
from tenants.db.locks import advisory_lock

NOT_USED = "currency_not_used"


def check_references(batch: Batch, bad: Sequence[set[str]]) -> None:
    """What given values refer to is there, not in the trash, and visible to the actor: one query for all.

    Raises MissingScope where a key names a record of a noun that it may not read.
    """
    wanted: dict[str, dict[UUID, list[tuple[Draft, str, set[str]]]]] = {}

    def want(target: str, record_id: UUID, place: tuple[Draft, str, set[str]]) -> None:
        wanted.setdefault(target, {}).setdefault(record_id, []).append(place)

    referring = [one for one in batch.record_type.fields if one.target or one.kind in {Kind.REFERENCE, Kind.REFERENCES}]
    for draft, bad_slugs in zip(batch.drafts, bad, strict=True):
        for one in referring:
            if one.slug not in draft.given or draft.after[one.slug] == draft.before[one.slug]:
                continue
            value, place = draft.after[one.slug], (draft, one.slug, bad_slugs)
            if one.kind is Kind.LINKS:
                known = {(one.target, link["id"]) for link in draft.before[one.slug]}
                for link in value:
                    if (one.target, link["id"]) not in known:
                        want(one.target, link["id"], place)
            elif one.kind is Kind.REFERENCES:
                known = {(entry["type"], entry["id"]) for entry in draft.before[one.slug]}
                for entry in value:
                    if (entry["type"], entry["id"]) not in known:
                        want(entry["type"], entry["id"], place)
            elif value and one.kind is Kind.REFERENCE:
                want(value["type"], value["id"], place)
            elif value and (one.kind is not Kind.MEMBER or value != batch.actor.member_id):
                want(one.target, value, place)
    if not wanted:
        return
    for target in wanted:
        require_scope(batch.actor, target)
    found = found_targets(batch.actor, wanted)
    for target, ids in wanted.items():
        for record_id, places in ids.items():
            if (target, record_id) in found:
                continue
            for draft, slug, bad_slugs in places:
                draft.error(slug, "not_found", _("What this refers to does not exist, or you may not see it."))
                draft.after[slug] = draft.before[slug]
                bad_slugs.add(slug)


def found_targets(actor: Actor, wanted: Mapping[str, Iterable[UUID]]) -> set[tuple[str, UUID]]:
    """Which records, by target and id, are there for the actor: one query."""
    types = {target: registry.get(target) for target in wanted if target != MEMBER_TARGET}
    pairs = sorted((target, record_id) for target, ids in wanted.items() for record_id in ids)
    if len(pairs) == len(wanted) and all(record_type.shows_all_to(actor) for record_type in types.values()):
        return find_each(pairs)
    queries = []
    for target, ids in wanted.items():
        rows = target_rows(target).filter(pk__in=ids)
        if target in types:
            rows = types[target].visible_to(actor, rows)
        queries.append(named(rows.order_by(), target))
    return set(any_of(queries))


def run_rules(batch: Batch, bad: Sequence[set[str]], *, restoring: bool = False) -> None:
    """Run the type's rules, then what holds for every type; raise all that is wrong with all rows at once.

    Rules see a value that could not be taken as the one before, so that all errors can be told together.
    """
    if not batch.drafts:
        return
    restored = [{slug: draft.after[slug] for slug in draft.given} for draft in batch.drafts] if restoring else []
    for rule in rules_of(batch.record_type).before:
        rule(batch)
    for draft, values in zip(batch.drafts, restored, strict=False):
        draft.after.update(values)
    if batch.action in {"create", "update"}:
        check_required(batch)
        if not restoring and batch.source != "sample":
            check_currencies(batch)
        check_unique(batch)
    errors = []
    hidden = hidden_slugs(batch.actor, batch.record_type) - set().union(*bad)
    for draft, bad_slugs in zip(batch.drafts, bad, strict=True):
        seen: set[str] = set()
        for error in draft.errors:
            if error.field in bad_slugs and error.field in seen:
                continue
            seen.add(error.field)
            told = error if error.field not in hidden else unseen(error)
            if told is error or told not in errors:  # how many hidden fields do not fit is not told either
                errors.append(told)
    if errors:
        raise Invalid(errors)


def unseen(error: FieldError) -> FieldError:
    """What a rule says of a field that the role hides, without naming it."""
    problem = _("Something that your role does not show does not fit. Ask somebody who sees the whole record.")
    return FieldError("", error.code, problem, error.index)


def check_required(batch: Batch) -> None:
    for one in batch.record_type.fields:
        if not one.required:
            continue
        for draft in batch.drafts:
            due = batch.action == "create" or one.slug in draft.given or one.slug in draft.changed
            if due and is_blank(one, draft.after[one.slug]):
                draft.error(one.slug, "required", _("This is needed."))


def check_currencies(batch: Batch) -> None:
    """A currency that is chosen is one that the workspace uses; those that stand there already may stay."""
    for one in batch.record_type.fields:
        if one.kind is not Kind.CURRENCY:
            continue
        for draft in batch.drafts:
            problem = currency_problem(batch.actor, draft.after[one.slug]) if one.slug in draft.changed else ""
            if problem:
                draft.error(one.slug, NOT_USED, problem)


def currency_problem(actor: Actor, code: str) -> str:
    """Why a currency cannot be chosen; an empty text for one that the workspace uses, and for none."""
    used = dict.fromkeys([actor.tenant.currency, *workspace_settings(actor.tenant).currencies]) if code else {}
    if not code or code in used:
        return ""
    problem = _("%(currency)s is not used here. Choose one of %(used)s, or add it in the settings first.")
    return problem % {"currency": code, "used": ", ".join(used)}


def check_unique(batch: Batch) -> None:
    """No other record outside the trash has the value, nor another row of the same write."""
    for one in batch.record_type.fields:
        if not one.unique:
            continue
        changed = [
            draft for draft in batch.drafts if one.slug in draft.changed and not is_blank(one, draft.after[one.slug])
        ]
        if not changed:
            continue
        advisory_lock(f"unique:{batch.record_type.slug}.{one.slug}")
        column = one.keys_column or one.column
        region = region_of(batch.actor.tenant)
        values = {
            draft.index: keys(one, draft.after[one.slug], region) if one.keys_column else [draft.after[one.slug]]
            for draft in changed
        }
        sought = list({value for group in values.values() for value in group})
        condition = {f"{column}__overlap": sought} if one.keys_column else {f"{column}__in": sought}
        own = [draft.record.pk for draft in changed if draft.record]
        rows = batch.record_type.rows.filter(deleted_at=None, **condition).exclude(pk__in=own)
        taken = set()
        for held in rows.values_list(column, flat=True):
            taken |= set(held) if one.keys_column else {held}
        for draft in changed:
            if taken & set(values[draft.index]):
                draft.error(one.slug, "taken", _("Another record has this already."))
            taken |= set(values[draft.index])
