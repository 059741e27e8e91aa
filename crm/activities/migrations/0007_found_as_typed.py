"""Texts are found and sorted whatever letters, apostrophes and hyphens they are typed with, long notes to their end."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from crm.records.query.refolding import refold


def found_as_typed(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    refold(editor, "activities_task", "name", "description")
    refold(editor, "activities_call", "name", "description")
    refold(editor, "activities_meeting", "name", "place", "description")
    refold(editor, "activities_email", "subject", "body")
    refold(editor, "activities_note", "body")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("activities", "0006_series_exceptions"),
    ]

    operations = [migrations.RunPython(found_as_typed, migrations.RunPython.noop)]
