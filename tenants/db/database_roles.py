"""Names of the cluster's roles and of schemas. Roles are cluster-wide, so each carries the installation."""

import re
import secrets

from django.conf import settings

SHARED_SCHEMA = "public"
EXTENSIONS_SCHEMA = "ext"
TENANT_SCHEMA = re.compile(r"t_[0-9a-z]{12,40}\Z")
INSTALLATION = re.compile(r"[a-z][0-9a-z_]{0,18}\Z")
DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def installation() -> str:
    name: str = settings.INSTALLATION
    if not INSTALLATION.match(name):
        raise ValueError(f"INSTALLATION {name!r} must be lower-case letters, digits and _, at most 19 of them.")
    return name


def schema_name_new() -> str:
    return "t_" + "".join(secrets.choice(DIGITS) for _ in range(16))


def is_tenant_schema(schema: str) -> bool:
    return bool(TENANT_SCHEMA.match(schema))


def check_schema(schema: str) -> str:
    if schema != SHARED_SCHEMA and not is_tenant_schema(schema):
        raise ValueError(f"{schema!r} is no schema of a tenant.")
    return schema


def app_role() -> str:
    return f"{installation()}_app"


def owner_role() -> str:
    return f"{installation()}_owner"


def shared_role() -> str:
    return f"{installation()}_shared"


def common_role() -> str:
    """The role that holds the rights on tables of every tenant; useless without USAGE on a schema."""
    return f"{installation()}_tenant"


def role_of(schema: str) -> str:
    return shared_role() if check_schema(schema) == SHARED_SCHEMA else f"{installation()}_{schema}"


def schema_of(role: str) -> str:
    """The tenant's schema that ``role`` speaks for; ValueError when it is no tenant's role."""
    schema = role.removeprefix(f"{installation()}_")
    if schema == role or not is_tenant_schema(schema):
        raise ValueError(f"{role!r} is no role of a tenant.")
    return schema
