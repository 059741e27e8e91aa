"""Names are found and sorted whatever letters, apostrophes and hyphens they are typed with; extensions belong to numbers."""

from typing import Any

from django.db import migrations
from django.db.backends.base.schema import BaseDatabaseSchemaEditor

from crm.records.query.refolding import WITH_LETTERS, address, listed, refold, rekey_phones


def found_as_typed(_apps: Any, editor: BaseDatabaseSchemaEditor) -> None:
    for table in ("people_company", "people_contact"):
        rekey_phones(editor, table)
    refold(editor, "people_company", "name", "domain", listed("phones"), address("address"), also=WITH_LETTERS)
    refold(editor, "people_contact", "name", listed("emails"), listed("phones"), also=WITH_LETTERS)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("people", "0001_initial"),
    ]

    operations = [migrations.RunPython(found_as_typed, migrations.RunPython.noop)]
