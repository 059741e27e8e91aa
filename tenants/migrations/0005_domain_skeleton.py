from typing import Any

from django.db import migrations, models

from tenants.lookalikes import skeleton


def fill(apps: Any, schema_editor: Any) -> None:
    Domain = apps.get_model("tenants", "Domain")
    rows = Domain.objects.using(schema_editor.connection.alias)
    for one in rows.filter(skeleton="").iterator():
        rows.filter(pk=one.pk).update(skeleton=skeleton(one.domain.partition(".")[0]))


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0004_schema_version"),
    ]

    operations = [
        migrations.AddField(
            model_name="domain",
            name="skeleton",
            field=models.CharField(
                db_default="",
                db_index=True,
                default="",
                editable=False,
                max_length=63,
                verbose_name="shape that names like it share",
            ),
        ),
        migrations.RunPython(fill, migrations.RunPython.noop),
    ]
