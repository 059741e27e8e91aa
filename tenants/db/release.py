"""Which release a workspace's schema is of: known by a digest beside the tenant, without a look into the schema."""

import hashlib
import inspect
import json
from functools import cache
from pathlib import Path

from django.apps import apps
from django.conf import settings

from tenants.db import grants

REPLAY = Path(__file__).parents[1] / "workspaces" / "schema_template.py"


def app_labels(names: list[str]) -> frozenset[str]:
    return frozenset(config.label for config in apps.get_app_configs() if config.name in names)


@cache
def template_digest() -> str:
    """Changes when a tenant migration, or what is said of rights beside them, does."""
    found = hashlib.sha256()
    for label in sorted(app_labels(settings.TENANT_APPS)):
        folder = Path(apps.get_app_config(label).path) / "migrations"
        for path in sorted(folder.glob("*.py")):
            found.update(f"{label}/{path.name}\n".encode() + path.read_bytes())
    found.update(json.dumps(settings.APPEND_ONLY, sort_keys=True).encode())
    found.update(inspect.getsource(grants).encode() + REPLAY.read_bytes())
    return found.hexdigest()
