"""Declarations held against each other and against their models, by ``manage.py check`` and a test."""

from collections.abc import Sequence
from fnmatch import fnmatchcase
from typing import Any

from django.apps import AppConfig, apps
from django.conf import settings
from django.core.checks import CheckMessage, Error, register
from django.core.exceptions import FieldDoesNotExist
from django.db import models
from django.urls import resolve, reverse

from crm.records.events import dispatch
from crm.records.events.audit import LABELS
from crm.records.models import Record
from crm.records.schema.field import MEMBER_TARGET, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write.batch import EVENT_ENDINGS

COLUMN_TYPES: dict[Kind, tuple[type[Any], ...]] = {
    Kind.TEXT: (models.CharField, models.TextField),
    Kind.LONG_TEXT: (models.TextField,),
    Kind.EMAILS: (models.JSONField,),
    Kind.PHONES: (models.JSONField,),
    Kind.URL: (models.CharField, models.TextField),
    Kind.INTEGER: (models.IntegerField,),
    Kind.DECIMAL: (models.DecimalField,),
    Kind.MONEY: (models.DecimalField,),
    Kind.CURRENCY: (models.CharField,),
    Kind.PERCENT: (models.IntegerField, models.DecimalField),
    Kind.BOOLEAN: (models.BooleanField,),
    Kind.DATE: (models.DateField,),
    Kind.DATETIME: (models.DateTimeField,),
    Kind.CHOICE: (models.CharField,),
    Kind.ADDRESS: (models.JSONField,),
    Kind.RELATION: (models.ForeignKey,),
    Kind.MEMBER: (models.ForeignKey,),
    Kind.JSON_LIST: (models.JSONField,),
    Kind.CONDITION: (models.JSONField,),
    Kind.REFERENCES: (models.JSONField,),
}


def column(model: type[models.Model], name: str) -> Any:
    try:
        return model._meta.get_field(name)
    except FieldDoesNotExist:
        return None


def field_problems(record_type: RecordType, model: type[models.Model], one: Field) -> list[str]:
    where = f"{record_type.slug}.{one.slug}"
    if one.target and one.target != MEMBER_TARGET and one.target not in registry:
        return [f"{where}: its target {one.target!r} is no record type."]
    strange = [name for name in one.targets if name != MEMBER_TARGET and name not in registry]
    if strange:
        return [f"{where}: its targets {strange} are no record types."]
    if one.kind is Kind.REFERENCE:
        missing = [name for name in (f"{one.slug}_type", f"{one.slug}_id") if column(model, name) is None]
        return [f"{where}: the column {name} is missing." for name in missing]
    if one.kind is Kind.LINKS:
        try:
            through = apps.get_model(one.through)
        except (LookupError, ValueError):
            return [f"{where}: there is no model {one.through!r}."]
        missing = [name for name in (record_type.slug, one.target, "role") if column(through, name) is None]
        return [f"{where}: {one.through} lacks {name}." for name in missing]
    found = column(model, one.slug)
    if found is None:
        return [f"{where}: the model has no such column."]
    problems = []
    if not isinstance(found, COLUMN_TYPES[one.kind]):
        problems.append(f"{where}: {one.kind} cannot be kept in a {type(found).__name__}.")
    if one.keys_column and column(model, one.keys_column) is None:
        problems.append(f"{where}: the column {one.keys_column} is missing.")
    if one.kind is Kind.RELATION and found.related_model is not registry.get(one.target).model_class:
        problems.append(f"{where}: the foreign key does not lead to {one.target}.")
    if isinstance(found, models.CharField) and found.max_length is not None:
        longest = one.max_length or max((len(choice.value) for choice in one.choices), default=0)
        if longest > found.max_length:
            problems.append(f"{where}: {longest} characters do not fit into {found.max_length}.")
    return problems


def has_board_page(record_type: RecordType) -> bool:
    """Whether the type's app has a board for it; the address that every type has leads to its list."""
    path = reverse("records:board", args=[record_type.plural], urlconf=settings.TENANT_URLCONF)
    return resolve(path, settings.TENANT_URLCONF).view_name != "records:board"


def event_types() -> set[str]:
    """The types of all events that are made."""
    of_records = {f"{record_type.slug}.{ending}" for record_type in registry.all() for ending in EVENT_ENDINGS.values()}
    return {*of_records, *(type for record_type in registry.all() for type in record_type.event_types), *LABELS}


def problems() -> list[str]:
    """Everything that is wrong with the declarations, as sentences for developers."""
    found = []
    for record_type in registry.all():
        try:
            model = record_type.model_class
        except (LookupError, ValueError):
            found.append(f"{record_type.slug}: there is no model {record_type.model!r}.")
            continue
        if not issubclass(model, Record):
            found.append(f"{record_type.slug}: {record_type.model} is no Record.")
            continue
        for one in record_type.fields:
            found.extend(field_problems(record_type, model, one))
        if record_type.board_field and not has_board_page(record_type):
            found.append(
                f"{record_type.slug}: its board field opens nothing: no page answers /{record_type.plural}/board/."
            )
        declared = {name for one in record_type.fields for name in (one.slug, one.keys_column)}
        declared |= {
            f"{one.slug}_{end}" for one in record_type.fields if one.kind is Kind.REFERENCE for end in ("type", "id")
        }
        known = declared | {one.name for one in Record._meta.get_fields()}
        found.extend(
            f"{record_type.slug}: the column {one.name} of {record_type.model} is not declared."
            for one in model._meta.concrete_fields
            if one.name not in known
        )
    found += [
        f"The reader {name} wants events {pattern}, which nobody makes."
        for name, reader in dispatch.readers.items()
        for pattern in reader.types
        if not any(fnmatchcase(type, pattern) for type in event_types())
    ]
    described = {record_type.model.lower() for record_type in registry.all()}
    found.extend(
        f"{model._meta.label} is a Record that no record type describes."
        for model in apps.get_models()
        if issubclass(model, Record) and model._meta.label_lower not in described
    )
    return found


@register()
def declarations(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
    return [Error(problem, id="records.E001") for problem in problems()]
