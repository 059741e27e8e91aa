"""Settings of the Django references: ordinary models of the same tables, without tenancy, sign-in or audit."""

import json
import os
from typing import Any
from urllib.parse import unquote, urlsplit

SECRET_KEY = "reference"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth", "rest_framework", "bench.reference"]
MIDDLEWARE = ["django.middleware.common.CommonMiddleware"]
SERVER = urlsplit(os.environ.get("BENCH_DATABASE", ""))


def database(schema: str) -> dict[str, Any]:
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(SERVER.path.lstrip("/")),
        "USER": unquote(SERVER.username or ""),
        "PASSWORD": unquote(SERVER.password or ""),
        "HOST": SERVER.hostname or "",
        "PORT": str(SERVER.port or ""),
        "CONN_MAX_AGE": None,
        "OPTIONS": {"options": f"-c search_path={schema},ext"},
    }


SCHEMAS: dict[str, str] = json.loads(os.environ.get("BENCH_SCHEMAS", '{"small": "public"}'))
DATABASES = {size: database(schema) for size, schema in SCHEMAS.items()}
DATABASES["default"] = DATABASES["small"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {"DEFAULT_AUTHENTICATION_CLASSES": [], "UNAUTHENTICATED_USER": None}
