from django.db import migrations


class Migration(migrations.Migration):
    """Won deals weigh 100 % and lost ones 0 %, those too that were sent another probability before."""

    dependencies = [
        ("sales", "0003_sorted_deals"),
    ]

    operations = [
        migrations.RunSQL(
            """
            UPDATE sales_deal
            SET probability = CASE kind WHEN 'won' THEN 100 ELSE 0 END,
                version = sales_deal.version + 1, updated_at = now()
            FROM sales_stage
            WHERE sales_stage.id = sales_deal.stage_id AND kind IN ('won', 'lost')
                AND sales_deal.probability IS DISTINCT FROM CASE kind WHEN 'won' THEN 100 ELSE 0 END
            """,
            migrations.RunSQL.noop,
        ),
    ]
