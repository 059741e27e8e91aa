"""Names are found and sorted whatever letters, apostrophes and hyphens they are typed with."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from crm.records.query.refolding import refold


def found_as_typed(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    for table in ("sales_pipeline", "sales_stage", "sales_lostreason", "sales_deal"):
        refold(editor, table, "name")


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("sales", "0004_certain_ends"),
    ]

    operations = [migrations.RunPython(found_as_typed, migrations.RunPython.noop)]
