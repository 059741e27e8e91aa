from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


def sorted_by(field: str) -> list[AddIndexConcurrently]:
    live = models.Q(deleted_at__isnull=True)
    down = models.OrderBy(models.F(field), descending=True, nulls_last=True)
    down_id = models.OrderBy(models.F("id"), descending=True)
    return [
        AddIndexConcurrently("deal", models.Index(fields=[field, "id"], name=f"deal_{field}_up", condition=live)),
        AddIndexConcurrently("deal", models.Index(down, down_id, name=f"deal_{field}_down", condition=live)),
    ]


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("sales", "0002_pipelines"),
    ]

    operations = [*sorted_by("amount"), *sorted_by("expected_close")]
