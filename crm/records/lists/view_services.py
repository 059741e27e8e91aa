"""Saved views made, changed, copied, given to others and deleted; what members choose of their views."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any
from uuid import UUID

from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.records.access.visibility import hidden_slugs, readable_quick_filters
from crm.records.errors import BadQuery, FieldError, Forbidden, Invalid, MissingScope, NotFound
from crm.records.fields.parsing import BadValue
from crm.records.lists.saved_views import (
    MAX_CARD_FIELDS,
    MAX_COLUMNS,
    MAX_SORTS,
    MAX_VIEWS,
    cleaned,
    footers_for,
    groupable,
    listed_fields,
    may_change,
    seen,
    view_of,
)
from crm.records.models import ChangeSet, SavedView, ViewChoice
from crm.records.query.authoring import merge_hidden, parts_of, whole_of
from crm.records.query.language import check_cost, parse, validate
from crm.records.query.paging import sortable_fields
from crm.records.schema.field import Field
from crm.records.schema.record_type import RecordType
from tenants.actors import Actor
from tenants.workspaces.entitlements import require_writable


def checked(actor: Actor, record_type: RecordType, values: Mapping[str, Any]) -> dict[str, Any]:
    """Values of a saved view, those that are given, checked. Raises Invalid with all that is wrong."""
    errors: list[FieldError] = []
    known = {one.slug: one for one in listed_fields(actor, record_type)}
    found: dict[str, Any] = {}

    def wrong(slug: str, message: str) -> None:
        errors.append(FieldError(slug, "invalid", message))

    def listed(slug: str, most: int) -> list[str]:
        try:
            return texts_read(values[slug], most)
        except BadValue as problem:
            wrong(slug, str(problem.message))
            return []

    if "name" in values:
        name = values["name"] if isinstance(values["name"], str) else ""
        found["name"] = " ".join(name.replace("\x00", "").split())
        if not found["name"] or len(found["name"]) > 80:
            wrong("name", _("Give the view a name of at most 80 characters."))
    for slug, choices in (("layout", SavedView.Layout.values), ("sharing", SavedView.Sharing.values)):
        if slug in values:
            found[slug] = values[slug]
            if values[slug] not in choices:
                wrong(slug, _("This must be one of: %(choices)s.") % {"choices": ", ".join(choices)})
    if "filter" in values:
        try:
            found["filter"] = dict(validate(actor, record_type, values["filter"]))
            check_cost(parse(actor, record_type, values["filter"]))
        except BadQuery as error:
            wrong("filter", str(error))
    if "sort" in values:
        sortable = sortable_fields(record_type, hidden_slugs(actor, record_type))
        found["sort"] = listed("sort", MAX_SORTS)
        if any(one.removeprefix("-") not in sortable for one in found["sort"]):
            wrong("sort", _("This list cannot be sorted like that."))
    if "columns" in values:
        found["columns"] = columns_read(values["columns"], known, wrong)
    if "grouping" in values:
        found["grouping"] = "" if values["grouping"] is None else values["grouping"]
        if found["grouping"] not in ["", *(one.slug for one in groupable(actor, record_type))]:
            wrong("grouping", _("Records cannot be grouped by this."))
    if "footers" in values:
        found["footers"] = {} if values["footers"] is None else values["footers"]
        if not isinstance(found["footers"], Mapping) or any(
            slug not in known or how not in footers_for(known[slug]) for slug, how in found["footers"].items()
        ):
            wrong("footers", _("A column cannot be summed up like that."))
    if "card_fields" in values:
        found["card_fields"] = listed("card_fields", MAX_CARD_FIELDS)
        if any(slug not in known for slug in found["card_fields"]):
            wrong("card_fields", _("One of these fields cannot be shown on a card."))
    if "quick" in values:
        found["quick"] = listed("quick", len(record_type.quick_filters))
        if any(one not in readable_quick_filters(actor, record_type) for one in found["quick"]):
            wrong("quick", _("There is no such quick filter."))
    if errors:
        raise Invalid(errors, str(errors[0].message))
    return found


def with_hidden(actor: Actor, record_type: RecordType, saved: SavedView, found: dict[str, Any]) -> dict[str, Any]:
    """What somebody makes of a view, with what it says of fields that their role hides, which they leave as it is."""
    if not hidden_slugs(actor, record_type):
        return found
    shown, kept = view_of(actor, record_type, saved), dict(found)
    for name in {"sort", "card_fields", "quick"} & found.keys():
        kept[name] = merge_hidden(found[name], getattr(shown, name), getattr(saved, name))
    if "columns" in found:
        given, stored = ([one["field"] for one in columns] for columns in (found["columns"], saved.columns))
        kept["columns"] = [{"field": slug} for slug in merge_hidden(given, shown.columns, stored)]
    if "footers" in found:
        unseen = {slug: how for slug, how in saved.footers.items() if slug not in shown.footers}
        kept["footers"] = unseen | found["footers"]
    if "grouping" in found and not found["grouping"] and not shown.grouping:
        kept["grouping"] = saved.grouping
    if "filter" in found:
        kept["filter"] = filter_with_hidden(actor, record_type, saved.filter, found["filter"])
    return kept


def filter_with_hidden(
    actor: Actor, record_type: RecordType, stored: Mapping[str, Any], given: Mapping[str, Any]
) -> Mapping[str, Any]:
    """The filter that was given, with those parts of the stored one that name something hidden."""
    everything = replace(actor, permissions=replace(actor.permissions, fields={}), scopes=None)
    hidden = [
        part for part in parts_of(stored) if asks(everything, record_type, part) and not asks(actor, record_type, part)
    ]
    if parts_of(given) == parts_of(cleaned(actor, record_type, stored, []) or {}):
        return stored
    rests = [cleaned(actor, record_type, part, []) for part in hidden]
    return whole_of([*(part for part in parts_of(given) if part not in rests), *hidden])


def asks(actor: Actor, record_type: RecordType, tree: Mapping[str, Any]) -> bool:
    """Whether the actor could ask this."""
    try:
        validate(actor, record_type, tree)
    except (BadQuery, MissingScope):
        return False
    return True


def texts_read(value: Any, most: int) -> list[str]:
    """A list of texts, each once; null is none of them. Raises BadValue."""
    given = () if value is None else value
    if not isinstance(given, list | tuple) or not all(isinstance(one, str) for one in given):
        raise BadValue("invalid", _("This must be a list of texts."))
    found = list(dict.fromkeys(given))
    if len(found) > most:
        raise BadValue("too_many", _("At most %(limit)d are possible.") % {"limit": most})
    return found


def columns_read(value: Any, known: Mapping[str, Field], wrong: Any) -> list[dict[str, Any]]:
    columns: dict[str, dict[str, Any]] = {}
    given = () if value is None else value
    if not isinstance(given, list | tuple):
        wrong("columns", _("Columns are a list of fields."))
        return []
    if len(given) > MAX_COLUMNS + 1:
        wrong("columns", _("At most %(limit)d are possible.") % {"limit": MAX_COLUMNS})
        return []
    for one in given:
        column = {"field": one} if isinstance(one, str) else dict(one) if isinstance(one, Mapping) else {}
        slug = column.get("field")
        if not isinstance(slug, str) or slug not in known:
            wrong("columns", _("There is no column “%(name)s”.") % {"name": str(slug)[:60]})
        elif len(column) > 1:
            wrong("columns", _("Of a column only its field is kept."))
        else:
            columns[str(slug)] = {"field": slug}
    return list(columns.values())


def view_create(actor: Actor, record_type: RecordType, values: Mapping[str, Any]) -> SavedView:
    """Keep a view under a name. Raises Invalid, also when there are too many."""
    if actor.member_id is None or not actor.can(record_type.slug, "view"):
        raise Forbidden
    require_writable(actor.tenant)
    found = checked(actor, record_type, {"name": "", **values})
    if SavedView.objects.filter(noun=record_type.slug, owner=actor.member_id).count() >= MAX_VIEWS:
        raise Invalid([], _("These are many views. Delete one that is not needed any more."))
    return SavedView.objects.create(noun=record_type.slug, owner_id=actor.member_id, **found)


def view_get(actor: Actor, record_type: RecordType, view_id: UUID, *, change: bool = False) -> SavedView:
    """Raises NotFound, and for ``change`` Forbidden, if it is somebody else's, and WorkspaceClosed."""
    saved = seen(actor, record_type).filter(pk=view_id).first()
    if saved is None:
        raise NotFound(_("There is no such view, or it is not shared with you. Ask who sent you the link to share it."))
    if change and not may_change(actor, saved):
        raise Forbidden(_("Only who made this view can change it. Save it as one of your own."))
    if change:
        require_writable(actor.tenant)
    return saved


def view_update(actor: Actor, record_type: RecordType, view_id: UUID, values: Mapping[str, Any]) -> SavedView:
    saved = view_get(actor, record_type, view_id, change=True)
    found = with_hidden(actor, record_type, saved, checked(actor, record_type, values))
    for name, value in found.items():
        setattr(saved, name, value)
    saved.updated_at = timezone.now()
    saved.save(update_fields=[*found, "updated_at"])
    return saved


def view_duplicate(actor: Actor, record_type: RecordType, view_id: UUID) -> SavedView:
    """A private copy of what the actor sees of a view."""
    saved = view_get(actor, record_type, view_id)
    view = view_of(actor, record_type, saved)
    return view_create(
        actor,
        record_type,
        {
            "name": (_("%(name)s, copy") % {"name": saved.name})[:80],
            "layout": view.layout,
            "filter": view.filter or {},
            "sort": view.sort,
            "columns": [{"field": slug} for slug in view.columns],
            "grouping": view.grouping,
            "footers": view.footers,
            "card_fields": view.card_fields,
            "quick": view.quick,
        },
    )


def view_delete(actor: Actor, record_type: RecordType, view_id: UUID) -> None:
    view_get(actor, record_type, view_id, change=True).delete()


def views_handed_over(*, member_id: UUID, noun: str, to: UUID, change_set: ChangeSet) -> int:
    """Give the views of a member who leaves to who takes over their records of a noun; what nobody takes stays theirs.

    Shared ones go on either way; private ones that stay are seen by nobody until they come back.
    """
    rows = SavedView.objects.filter(owner=member_id, noun=noun)
    return rows.update(owner=to, owner_before=member_id, handed_over_by=change_set)


def views_back(change_set: ChangeSet, undoing: ChangeSet) -> int:
    """Give the views that a change handed over back, and anew when that is undone in turn."""
    rows = SavedView.objects.filter(handed_over_by=change_set)
    return rows.update(owner=F("owner_before"), owner_before=F("owner"), handed_over_by=undoing)


def choice_save(actor: Actor, record_type: RecordType, **changes: Any) -> None:
    """Keep what a member chose of ``tabs``, ``hidden``, ``default`` or ``columns``."""
    if actor.member_id is None:
        raise Forbidden
    require_writable(actor.tenant)
    ViewChoice.objects.update_or_create(member_id=actor.member_id, noun=record_type.slug, defaults=changes)
