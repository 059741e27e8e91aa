"""What a role can be told of each noun: which scopes it may have, and which of its fields can be hidden or locked."""

from django.utils.translation import gettext as _

from crm.records.schema.record_type import Field, RecordType, registry
from crm.workspace.permissions import RoleField, RoleNoun


def role_nouns() -> tuple[RoleNoun, ...]:
    """Every record type as the editor of roles sees it."""
    return tuple(
        RoleNoun(
            slug=rt.slug,
            label=str(rt.label_plural),
            icon=rt.icon,
            is_shared=rt.visible.is_everyones,
            fields=() if rt.visible.is_everyones else tuple(role_fields(rt)),
        )
        for rt in registry.all()
    )


def role_fields(rt: RecordType) -> list[RoleField]:
    return [
        RoleField(
            slug=one.slug,
            label=str(one.label),
            stays="" if one.slug not in rt.always_shown else why_it_stays(rt, one),
            is_editable=one.editable,
            is_needed=one.required and one.default is None,
        )
        for one in rt.shown_fields
        if one.slug not in rt.companions
    ]


def why_it_stays(rt: RecordType, field: Field) -> str:
    if field.slug == rt.title:
        return _("It is what the record is called.")
    if field.slug == rt.own_field:
        return _("Who may see a record goes by it.")
    if field.required:
        return _("Every record needs it.")
    return _("Lists, boards and calendars go by it.")
