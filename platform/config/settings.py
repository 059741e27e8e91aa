"""Settings, all from the environment; README.md has the table of variables."""

import os
from urllib.parse import parse_qsl, unquote, urlsplit

from celery.schedules import crontab
from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP
from kombu import Queue

from config.environment import ROOT, Environment, NotUnderstood
from config.logs import logging_config

DEVELOPMENT_SECRET = "development-only-secret-key-of-no-worth-at-all-0123456789"  # noqa: S105


def database(url: str) -> dict[str, object]:
    """Turn ``postgresql://user:password@host:port/name?sslmode=…`` into Django's settings of one connection."""
    parts = urlsplit(url)
    return {
        "ENGINE": "tenants.db.backend",
        "NAME": unquote(parts.path.lstrip("/")) or "rapport",
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "CONN_MAX_AGE": 600,
        "CONN_HEALTH_CHECKS": True,
        "DISABLE_SERVER_SIDE_CURSORS": True,
        "OPTIONS": {"connect_timeout": 5, **dict(parse_qsl(parts.query))},
    }


def mailer(url: str) -> dict[str, object]:
    """Turn ``smtp://user:password@host:port`` into a mailer; smtps is TLS from the start, submission is STARTTLS."""
    if not url:
        return {"BACKEND": "django.core.mail.backends.console.EmailBackend"}
    parts = urlsplit(url)
    ports = {"smtp": 25, "smtps": 465, "submission": 587}
    if parts.scheme not in ports:
        raise ImproperlyConfigured("EMAIL_URL starts with smtp://, smtps:// or submission://")
    return {
        "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
        "OPTIONS": {
            "host": parts.hostname or "localhost",
            "port": parts.port or ports[parts.scheme],
            "username": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "use_tls": parts.scheme == "submission",
            "use_ssl": parts.scheme == "smtps",
            "timeout": 20,
        },
    }


def valkey(url: str, number: int) -> str:
    """The address of database ``number`` of the server at ``url``, in the scheme that the clients know."""
    parts = urlsplit(url)
    scheme = {"valkey": "redis", "valkeys": "rediss"}.get(parts.scheme, parts.scheme)
    return parts._replace(scheme=scheme, path=f"/{number}").geturl()


try:
    ENVIRONMENT = Environment.read()
except NotUnderstood as refusal:
    raise ImproperlyConfigured(str(refusal)) from None
PRODUCTION = ENVIRONMENT.production
DEBUG = ENVIRONMENT.debug
SECRET_KEY = ENVIRONMENT.secret_key or DEVELOPMENT_SECRET
SECRET_KEY_FALLBACKS = list(ENVIRONMENT.secret_key_fallbacks)
INSTALLATION = ENVIRONMENT.installation
DATA = ENVIRONMENT.data
PORT = ENVIRONMENT.port
BASE_DOMAIN = ENVIRONMENT.base_domain
PUBLIC_ORIGIN = ENVIRONMENT.public_origin
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
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "django_htmx",
    "rest_framework",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "billing",
    "api",
    "console",
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
TENANT_SYNC_ROUTER = "tenants.db.routers.TenantRouter"
DATABASE_ROUTERS = [TENANT_SYNC_ROUTER]
DATABASES = {
    "default": database(ENVIRONMENT.database_url),
    "owner": database(ENVIRONMENT.database_owner_url),
}
AUTH_USER_MODEL = "tenants.User"
# W004: the same address may stand at several users until one of them has proven it.
# W161 takes the hour at which quiet hours end for the moment of the check, if that runs within ten seconds of it.
SILENCED_SYSTEM_CHECKS = ["auth.W004", "fields.W161"]
AUTHENTICATION_BACKENDS = ["tenants.accounts.adapters.EmailBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
PASSWORD_RESET_TIMEOUT = 60 * 60 * 4
LOGIN_URL = "/signin/"
LOGIN_REDIRECT_URL = "/workspaces/"
ACCOUNT_ADAPTER = "tenants.accounts.adapters.AccountAdapter"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_PREVENT_ENUMERATION = "strict"
# tenants.rate_limits counts tries, for all forms alike.
ACCOUNT_RATE_LIMITS = False
# How many reverse proxies stand in front; each adds the address it saw to X-Forwarded-For.
TRUSTED_PROXIES = ENVIRONMENT.trusted_proxies
SESSION_ENGINE = "tenants.sessions"
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Tables of a tenant whose rows its role may add and read but not change, with the columns that it may.
APPEND_ONLY: dict[str, tuple[str, ...]] = {"records_event": ("position",), "records_changeset": ()}
# Tables of the shared schema that the application may add to and read, but not change.
SHARED_APPEND_ONLY = [
    "billing_billingnotice",
    "billing_seatledger",
    "billing_subscriptionchange",
    "console_auditentry",
]

MIDDLEWARE = [
    "tenants.web.middleware.RequestIdMiddleware",
    "config.middleware.RequestLogMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "tenants.web.middleware.HealthMiddleware",
    "config.middleware.NoStoreMiddleware",
    "tenants.web.middleware.HostMiddleware",
    "config.incoming.IncomingMiddleware",
    "api.middleware.ApiMiddleware",
    "tenants.web.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "crm.workspace.middleware.ActorMiddleware",
    "config.middleware.AskFirstMiddleware",
    "config.middleware.NotEntitledMiddleware",
    "config.middleware.NotAllowedMiddleware",
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
# Languages that the pages speak in full; a catalogue in locale/ earns one its line here.
LANGUAGES = [("en", "English"), ("en-gb", "English (UK)")]
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
LOCALE_PATHS = [ROOT / "locale"]

STATIC_URL = "/static/"
STATICFILES_DIRS = [ROOT / "static"]
STATIC_ROOT = DATA / "static"
# The compressed files with hashed names exist where collectstatic ran: under make run and in production.
STATIC_MANIFEST = ENVIRONMENT.static_manifest
WHITENOISE_USE_FINDERS = not STATIC_MANIFEST
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if STATIC_MANIFEST
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}
MEDIA_ROOT = DATA / "files"
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

VALKEY_URL = ENVIRONMENT.valkey_url
CACHES: dict[str, dict[str, object]] = {
    "default": {
        "BACKEND": "tenants.db.caching.Cache",
        "LOCATION": valkey(VALKEY_URL, 1),
        "OPTIONS": {"socket_connect_timeout": 3, "socket_timeout": 3},
    }
    if VALKEY_URL
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}
CACHES["default"] |= {"KEY_PREFIX": INSTALLATION, "KEY_FUNCTION": "tenants.db.caching.cache_key"}

MAILERS = {"default": mailer(ENVIRONMENT.email_url)}
DEFAULT_FROM_EMAIL = ENVIRONMENT.email_from
SERVER_EMAIL = DEFAULT_FROM_EMAIL

STRIPE_SECRET_KEY = ENVIRONMENT.stripe_secret_key
STRIPE_WEBHOOK_SECRET = ENVIRONMENT.stripe_webhook_secret
# Empty for Stripe's own; else where the stand-in listens.
STRIPE_API_URL = ENVIRONMENT.stripe_api_url
STRIPE_LIVEMODE = STRIPE_SECRET_KEY.startswith(("sk_live_", "rk_live_"))

CELERY_BROKER_URL = valkey(VALKEY_URL, 0) if VALKEY_URL else "memory://"
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A task lives at most 75 s, so what is not acknowledged after 150 s was lost with its worker and is given out again.
CELERY_BROKER_TRANSPORT_OPTIONS = {"visibility_timeout": 150, "global_keyprefix": f"{INSTALLATION}:"}
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = True
CELERY_TASK_SOFT_TIME_LIMIT = 60
CELERY_TASK_TIME_LIMIT = 75
CELERY_TASK_DEFAULT_QUEUE = "interactive"
CELERY_TASK_QUEUES = tuple(Queue(name) for name in ("timers", "interactive", "bulk"))
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_MAX_TASKS_PER_CHILD = 5000
CELERY_WORKER_MAX_MEMORY_PER_CHILD = 400_000
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_WORKER_SEND_TASK_EVENTS = False
CELERY_TIMEZONE = "UTC"
CELERY_BEAT_SCHEDULE = {
    "sweep": {"task": "tenants.tasks.sweep", "schedule": 3600.0, "options": {"queue": "bulk", "expires": 3600}},
    "stripe_events": {"task": "billing.tasks.events_pick_up", "schedule": 30.0, "options": {"expires": 30}},
    "stripe_requests": {"task": "billing.tasks.requests_finish", "schedule": 60.0, "options": {"expires": 60}},
    "mails_about_money": {"task": "billing.tasks.mails_pick_up", "schedule": 30.0, "options": {"expires": 30}},
    "seats": {"task": "billing.tasks.seats_sweep", "schedule": 60.0, "options": {"expires": 60}},
    "lifecycle": {"task": "billing.tasks.lifecycle_sweep", "schedule": 300.0, "options": {"expires": 300}},
    "stripe_missed": {"task": "billing.tasks.events_sweep", "schedule": 3600.0, "options": {"expires": 3600}},
    "stripe_everything": {
        "task": "billing.tasks.reconcile_all",
        "schedule": crontab(hour="3", minute="20"),
        "options": {"expires": 3600},
    },
    "setups": {"task": "tenants.tasks.setups_sweep", "schedule": 120.0, "options": {"queue": "bulk", "expires": 120}},
    "visits": {"task": "console.tasks.visits_sweep", "schedule": 60.0, "options": {"queue": "bulk", "expires": 60}},
}

PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

# Cookies know no port: without it in the name, two copies on one machine would sign each other's people out.
COOKIE_SUFFIX = "" if HTTPS else f"_{PORT}"
COOKIE_PREFIX = "__Host-" if HTTPS else ""
SESSION_COOKIE_NAME = f"{COOKIE_PREFIX}session{COOKIE_SUFFIX}"
SESSION_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = 60 * 60 * 24 * 30
CSRF_COOKIE_NAME = f"{COOKIE_PREFIX}csrf{COOKIE_SUFFIX}"
CSRF_COOKIE_SECURE = HTTPS
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "config.errors.stale_form"

X_FRAME_OPTIONS = "DENY"
SECURE_CONTENT_TYPE_NOSNIFF = True
SECURE_REFERRER_POLICY = "same-origin"
SECURE_SSL_REDIRECT = HTTPS
# Not by Django's middleware, which knows no hosts: HostMiddleware redirects on those that are ours.
SECURE_REDIRECT_EXEMPT = [r""]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
if HTTPS:
    # TLS ends at the reverse proxy in front, which sets this header and drops a visitor's own.
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
DATA_UPLOAD_MAX_MEMORY_SIZE = 5 * 1024 * 1024
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000

LOGGING_CONFIG = None
LOG_LEVEL = ENVIRONMENT.log_level
logging_config(LOG_LEVEL)

RELEASE = os.environ.get("RELEASE", "0.1.0")
REST_FRAMEWORK: dict[str, object] = {
    "EXCEPTION_HANDLER": "api.errors.handle",
    "UNAUTHENTICATED_USER": None,
    "DEFAULT_SCHEMA_CLASS": "api.openapi.DeclaredSchema",
    "DEFAULT_AUTHENTICATION_CLASSES": [],
    "DEFAULT_PERMISSION_CLASSES": [],
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Rapport API",
    "VERSION": "1",
    "OAS_VERSION": "3.1.0",
    "SERVE_INCLUDE_SCHEMA": False,
    "SCHEMA_PATH_PREFIX": "/api/v1",
}
