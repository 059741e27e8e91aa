"""What must stand in no log: the secrets by which mailed links, keys and hand-overs prove themselves.

Whoever reads the log must not be able to use it. So every line is gone through as it is written, wherever in it a
secret stands: in a path, in the message of an error, in what a task was given.
"""

import re
from typing import Any

from structlog.typing import EventDict, WrappedLogger

LEFT_OUT = "…"
SLASH = "(?:/|%2F)"
PLACES = (
    *("invitations", "verify", "take-over", "unsubscribe", f"calendar{SLASH}feed"),
    *(rf"password{SLASH}[^/%\s]+", f"account{SLASH}email{SLASH}(?:confirm|undo)"),
)
SECRET = re.compile(
    f"(?P<path>{SLASH}(?:{'|'.join(PLACES)}){SLASH})[^/\\s\"'<>?#&%\\\\]{{16,}}"
    "|(?P<query>(?:[?&]|%3F|%26)(?:token|nonce)(?:=|%3D))[^&\\s\"'<>%]+"
    "|(?P<key>\\brpt_(?:live|test)_[0-9a-z]{16}_|\\b[sr]k_(?:live|test)_|\\bwhsec_)[0-9A-Za-z_]+"
)


def redacted(text: str) -> str:
    """The text with every secret in it left out; what leads to it stays, so that one sees what it was."""
    return SECRET.sub(_without, text)


def _without(found: re.Match[str]) -> str:
    return f"{found['path'] or found['query'] or found['key']}{LEFT_OUT}"


def redact(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """A processor of structlog, the last before a line is written."""
    return {name: _redacted(value) for name, value in event.items()}


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, dict):
        return {name: _redacted(one) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(one) for one in value]
    return value
