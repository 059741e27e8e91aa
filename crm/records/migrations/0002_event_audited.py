from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("records", "0001_initial"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=models.Q(
                    record_type__in=(
                        "api_key",
                        "export",
                        "invitation",
                        "job",
                        "member",
                        "role",
                        "session",
                        "settings",
                        "team",
                    )
                ),
                fields=["id"],
                name="event_audited",
            ),
        ),
    ]
