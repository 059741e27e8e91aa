"""Log lines tell what was asked and what went wrong, never what a mailed link or a key proves itself by."""

import io
import json
import logging
from typing import Any

import pytest
from django.test import RequestFactory

from config.logs import logging_config
from config.redaction import redacted
from tests.isolation.routes import routes

TOKEN = "AZ0f-9_x:1kL2:secret-part-of-it"
SECRET_ARGUMENTS = {"token", "key"}
PROVEN_BY = [
    route.path
    for urlconf in ("config.urls_public", "config.urls_tenant", "config.urls_api")
    for route in routes(urlconf)
    if route.parameters & SECRET_ARGUMENTS
]


def filled(path: str, token: str = TOKEN) -> str:
    for name in SECRET_ARGUMENTS:
        path = path.replace(f"<str:{name}>", token)
    return "/" + path.replace("<str:uid>", "0199c1e8f2ab70008000f2F20000abcd")


@pytest.mark.parametrize("path", PROVEN_BY)
@pytest.mark.parametrize("around", ["{}", "{}more/", "Internal Server Error: {}", "{{'next': '{}'}}"])
def test_what_a_link_proves_itself_by_is_left_out_wherever_it_comes(path: str, around: str) -> None:
    """Also where the path leads nowhere, as without its slash at the end."""
    for address in (filled(path), filled(path).rstrip("/"), filled(path).replace("/", "%2F")):
        told = redacted(around.format(address))
        assert "secret" not in told
        assert "…" in told


def test_there_are_such_links() -> None:
    assert len(PROVEN_BY) >= 8


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("Bearer rpt_live_0123456789abcdef_" + "aB3" * 13 + "x", "Bearer rpt_live_0123456789abcdef_…"),
        ("/handover/?token=abc-def&next=/", "/handover/?token=…&next=/"),
        ("to http://x.example/handover/?next=%2F&token=abc", "to http://x.example/handover/?next=%2F&token=…"),
        ("/signin/?next=/secret/", "/signin/?next=/secret/"),
        ("/verify/again/", "/verify/again/"),
        ("/password/new/", "/password/new/"),
        ("/deals/0199c1e8-0000-7000-8000-000000000000/", "/deals/0199c1e8-0000-7000-8000-000000000000/"),
        ("KeyError: 'token'", "KeyError: 'token'"),
    ],
)
def test_only_that_is_left_out(text: str, told: str) -> None:
    assert redacted(text) == told


def test_no_line_holds_one_whoever_writes_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """Django's own line of a 500, the traceback below it, a task that failed."""
    path = filled("invitations/<str:token>/")
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    before = logging.getLogger().handlers[:]
    try:
        logging_config("INFO")
        request = RequestFactory().get(path)
        try:
            raise ValueError(f"Nothing is at {path}")
        except ValueError as error:
            trace = (type(error), error, error.__traceback__)
            extra: dict[str, Any] = {"status_code": 500, "request": request}
            logging.getLogger("django.request").error("Internal Server Error: %s", path, exc_info=trace, extra=extra)
        task = {"data": {"kwargs": f"{{'text': 'Open http://x.example{path} now'}}", "args": [path]}}
        logging.getLogger("celery.app.trace").error("Task failed", extra=task)
    finally:
        logging.getLogger().handlers[:] = before
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    assert [line["event"].partition(":")[0] for line in lines] == ["Internal Server Error", "Task failed"]
    assert "Nothing is at /invitations/…/" in lines[0]["exception"]
    assert "secret" not in out.getvalue()
