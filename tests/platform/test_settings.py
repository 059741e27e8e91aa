"""What the environment's addresses become in the settings, and what a log line carries."""

import io
import json
import logging

import pytest
import structlog
from django.core.exceptions import ImproperlyConfigured

from config.logs import logging_config
from config.settings import database, mailer, valkey


def test_passwords_in_addresses_may_hold_any_character() -> None:
    found = database("postgresql://a%40b:p%2Fw%3A@db.example:5433/crm")
    assert (found["USER"], found["PASSWORD"], found["PORT"], found["NAME"]) == ("a@b", "p/w:", "5433", "crm")


@pytest.mark.parametrize(
    ("url", "port", "tls", "ssl"),
    [
        ("smtp://mail.example", 25, False, False),
        ("submission://u:p%40ss@mail.example", 587, True, False),
        ("smtps://mail.example:2465", 2465, False, True),
    ],
)
def test_each_kind_of_mail_address_gets_its_port_and_encryption(url: str, port: int, tls: bool, ssl: bool) -> None:
    options = mailer(url)["OPTIONS"]
    assert isinstance(options, dict)
    assert (options["port"], options["use_tls"], options["use_ssl"]) == (port, tls, ssl)
    assert options["password"] in {"", "p@ss"}


def test_a_mail_address_of_no_known_kind_is_refused() -> None:
    with pytest.raises(ImproperlyConfigured, match="EMAIL_URL"):
        mailer("http://mail.example")


def test_cache_and_queue_are_apart_on_one_valkey() -> None:
    assert valkey("valkeys://:secret@cache.example:6380/7", 1) == "rediss://:secret@cache.example:6380/1"


def test_a_log_line_is_one_json_object_with_its_request(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    try:
        logging_config("INFO")
        monkeypatch.setattr(root.handlers[0], "stream", stream)
        with structlog.contextvars.bound_contextvars(request_id="r-1"):
            try:
                raise ValueError("a\nb")
            except ValueError:
                structlog.get_logger("tenants").exception("tenant.failed", count=3)
    finally:
        root.handlers[:] = handlers
        root.setLevel(level)
    (line,) = stream.getvalue().splitlines()
    found = json.loads(line)
    assert (found["event"], found["level"], found["request_id"], found["count"]) == ("tenant.failed", "error", "r-1", 3)
    assert "ValueError: a\nb" in found["exception"]
