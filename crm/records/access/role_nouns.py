"""What a role can be told of each noun: which scopes it may have, and which of its fields can be hidden or locked."""

from django.utils.translation import gettext as _

from crm.records.access.visibility import always_shown
from crm.records.schema.field import Field
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.permissions import RoleField, RoleNoun


def role_nouns() -> tuple[RoleNoun, ...]:
    """Every record type as the editor of roles sees it."""
    return tuple(
        RoleNoun(
            slug=record_type.slug,
            label=str(record_type.label_plural),
            icon=record_type.icon,
            is_shared=record_type.visible.is_everyones,
            fields=() if record_type.visible.is_everyones else tuple(role_fields(record_type)),
        )
        for record_type in registry.all()
    )


def role_fields(record_type: RecordType) -> list[RoleField]:
    return [
        RoleField(
            slug=one.slug,
            label=str(one.label),
            stays="" if one.slug not in always_shown(record_type) else why_it_stays(record_type, one),
            is_editable=one.editable,
            is_needed=one.required and one.default is None,
        )
        for one in record_type.shown_fields
        if one.slug not in record_type.companions
    ]


def why_it_stays(record_type: RecordType, field: Field) -> str:
    if field.slug == record_type.title:
        return _("It is what the record is called.")
    if field.slug == record_type.own_field:
        return _("Who may see a record goes by it.")
    if field.required:
        return _("Every record needs it.")
    return _("Lists, boards and calendars go by it.")
