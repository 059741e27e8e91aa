from django.contrib.postgres.operations import AddIndexConcurrently
from django.db import migrations, models


class Migration(migrations.Migration):
    atomic = False

    dependencies = [
        ("billing", "0003_moved_clock"),
    ]

    operations = [
        AddIndexConcurrently(
            model_name="striperequest",
            index=models.Index(
                condition=models.Q(("state", "begun")), fields=["created_at"], name="stripe_request_begun"
            ),
        ),
    ]
