"""Where the tasks and notes there are already stand."""

from django.db import migrations

FILL = """
INSERT INTO activities_place (noun, activity_id, about_type, about_id, at, planned_at)
SELECT 'task', id, about_type, about_id,
       CASE WHEN deleted_at IS NULL AND done THEN coalesce(done_at, updated_at) END,
       CASE WHEN deleted_at IS NULL AND NOT done THEN coalesce(due_at, '9999-01-01 00:00:00+00') END
FROM activities_task WHERE about_id IS NOT NULL
UNION ALL
SELECT 'note', id, about_type, about_id, CASE WHEN deleted_at IS NULL THEN created_at END, NULL
FROM activities_note
ON CONFLICT DO NOTHING
"""


class Migration(migrations.Migration):
    dependencies = [("activities", "0002_activities")]
    operations = [migrations.RunSQL(FILL, migrations.RunSQL.noop)]
