"""Cache keys that carry the tenant, so that no workspace reads what another stored."""

from tenants.scopes import current_schema


def cache_key(key: str, key_prefix: str, version: int) -> str:
    """Django's KEY_FUNCTION: installation, schema (``-`` outside any), version, key."""
    return f"{key_prefix}:{current_schema() or '-'}:{version}:{key}"
