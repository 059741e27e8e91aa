from django.contrib.postgres.operations import AddIndexConcurrently, RemoveIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("records", "0006_views_know_who_had_them"),
    ]

    operations = [
        RemoveIndexConcurrently(
            model_name="event",
            name="event_audited",
        ),
        AddIndexConcurrently(
            model_name="event",
            index=models.Index(
                condition=models.Q(
                    record_type__in=(
                        "api_key",
                        "billing",
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
