"""When the database or the cache does not answer: nobody's fault who asks, and soon over."""

from django.db import InterfaceError, OperationalError
from redis.exceptions import RedisError

RETRY_SECONDS = 5


def is_outage(error: BaseException | None) -> bool:
    """Whether an error means that something we stand on is away, busy or just starting, and the same may work soon."""
    return isinstance(error, OperationalError | InterfaceError | RedisError)
