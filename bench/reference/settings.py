"""Settings of the Django references: ordinary models of the same tables, without tenancy, permissions or audit.

The users and tokens that *naive* signs in by have a schema of their own, the connection ``default``.
"""

import json
import os
from typing import Any
from urllib.parse import unquote, urlsplit

SECRET_KEY = "reference"
ALLOWED_HOSTS = ["*"]
USE_TZ = True
TIME_ZONE = "UTC"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "rest_framework",
    "rest_framework.authtoken",
    "bench.reference",
]
STARTPROJECT = [
    "django.middleware.security.SecurityMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
MIDDLEWARE = STARTPROJECT if os.environ.get("BENCH_REFERENCE") == "naive" else STARTPROJECT[2:3]
ACCOUNTS = "bench_reference"
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
DATABASES["default"] = database(ACCOUNTS)
DATABASE_ROUTERS = ["bench.reference.sizes.SizeRouter"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["rest_framework.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
}
