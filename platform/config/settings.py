"""Settings, all from the environment; README.md has the table of variables."""

import os
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.utils.csp import CSP

ROOT = Path(__file__).resolve().parents[2]


def env_flag(name: str, default: bool = False) -> bool:
    return os.environ.get(name, str(default)).strip().lower() in {"1", "true", "yes", "on"}


def database(url: str) -> dict[str, object]:
    """Turn ``postgresql://user:password@host:port/name`` into Django's settings of one connection."""
    parts = urlsplit(url)
    return {
        "ENGINE": "tenants.backend",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


DEBUG = env_flag("DEBUG")
SECRET_KEY = os.environ.get("SECRET_KEY", "development-only-secret-key-of-no-worth-at-all-0123456789")
INSTALLATION = os.environ.get("INSTALLATION", "rapport")
DATA = Path(os.environ.get("DATA", ROOT / "var"))
PORT = int(os.environ.get("PORT", "8000"))
BASE_DOMAIN = os.environ.get("BASE_DOMAIN", "localhost")
PUBLIC_ORIGIN = os.environ.get("PUBLIC_ORIGIN", f"http://{BASE_DOMAIN}:{PORT}")
HTTPS = PUBLIC_ORIGIN.startswith("https://")

# The Host middleware answers an unknown host itself, with a plain 404.
ALLOWED_HOSTS = ["*"]

SHARED_APPS = [
    "django_tenants",
    "tenants",
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "api",
]
TENANT_APPS = [
    "crm.workspace",
    "crm.records",
    "crm.people",
    "crm.sales",
    "crm.activities",
]
INSTALLED_APPS = [*SHARED_APPS, *TENANT_APPS]
TENANT_MODEL = "tenants.Tenant"
TENANT_DOMAIN_MODEL = "tenants.Domain"
PUBLIC_SCHEMA_NAME = "public"
PG_EXTRA_SEARCH_PATHS = ["ext"]
DATABASE_ROUTERS = ["django_tenants.routers.TenantSyncRouter"]
DATABASES = {
    "default": database(os.environ.get("DATABASE_URL", "")),
    "owner": database(os.environ.get("DATABASE_OWNER_URL", "")),
}
AUTH_USER_MODEL = "tenants.User"
SESSION_ENGINE = "tenants.sessions"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# What a lower floor calls on a higher one, as dotted paths.
WORKSPACE_PROVISIONERS = [
    "crm.workspace.provisioning.provision",
    "crm.sales.provisioning.provision",
]
EVENT_HANDLERS: dict[str, str] = {}
TIMERS = {"task_overdue": "crm.activities.timers.task_overdue"}
EVENT_SINK = "crm.records.events.note"

MIDDLEWARE = [
    "tenants.middleware.RequestIdMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "tenants.middleware.HealthMiddleware",
    "tenants.middleware.HostMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "crm.workspace.middleware.ActorMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
]
ROOT_URLCONF = "config.urls_public"
TENANT_URLCONF = "config.urls_tenant"
API_URLCONF = "config.urls_api"
WSGI_APPLICATION = "config.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [ROOT / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "crm.workspace.context.shell",
            ],
        },
    }
]

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LOCALE_PATHS = [ROOT / "locale"]

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
STATIC_ROOT = DATA / "static"
