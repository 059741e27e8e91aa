"""The cache: keys that carry the tenant, so that no workspace reads what another stored; and counters."""

from typing import Any

from django.core.cache import caches
from django.core.cache.backends.base import BaseCache
from django.core.cache.backends.redis import RedisCache, RedisCacheClient
from redis.exceptions import RedisError

from tenants.db.scopes import current_schema


def cache_key(key: str, key_prefix: str, version: int) -> str:
    """Django's KEY_FUNCTION: installation, schema (``-`` outside any), version, key."""
    return f"{key_prefix}:{current_schema() or '-'}:{version}:{key}"


class KeptClient(RedisCacheClient):
    """Keeps redis-py's client, which is slower to make than its commands are to run."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._kept: dict[bool, Any] = {}

    def get_client(self, key: Any = None, *, write: bool = False) -> Any:
        found = self._kept.get(write)
        if found is None:
            found = self._kept[write] = super().get_client(key, write=write)
        return found

    def count(self, key: str, seconds: int) -> int:
        """Raises OSError when Valkey does not answer."""
        commands = self.get_client(key, write=True).pipeline(transaction=False)
        commands.incr(key)
        commands.expire(key, seconds, nx=True)
        try:
            return int(commands.execute()[0])
        except RedisError as error:
            raise OSError(str(error)) from error


class Cache(RedisCache):
    def __init__(self, server: Any, params: Any) -> None:
        super().__init__(server, params)
        self._class = KeptClient

    def count(self, key: str, seconds: int) -> int:
        client: Any = self._cache
        return int(client.count(self.make_and_validate_key(key), seconds))


def count(key: str, seconds: int, using: str = "default") -> int:
    """How often ``key`` was counted in ``seconds`` since the first time, now included; one round trip to Valkey.

    Raises OSError when Valkey does not answer.
    """
    cache: BaseCache = caches[using]
    if isinstance(cache, Cache):
        return cache.count(key, seconds)
    cache.add(key, 0, timeout=seconds)
    return cache.incr(key)
