"""A browser whose requests are answered by Django in this process: real pages, rolled back with the test."""

from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from urllib.parse import urlsplit

import pytest
from django.contrib.staticfiles import finders
from django.test import Client
from django.utils.html import escape
from playwright.sync_api import Browser, Page, Route

from tenants.actors import Actor
from tenants.workspaces.hosts import tenant_url
from tests.chromium import open_page

TYPES = {"css": "text/css", "js": "text/javascript", "svg": "image/svg+xml", "json": "application/json"}

type Screen = Callable[..., Page]


def answer(route: Route, client: Client, here: Context) -> None:
    request = route.request
    path = urlsplit(request.url)
    if path.path.startswith("/static/"):
        found = finders.find(path.path.removeprefix("/static/"))
        if not isinstance(found, str):
            return route.fulfill(status=404)
        return route.fulfill(path=found, content_type=TYPES.get(found.rpartition(".")[2], "text/plain"))
    headers = {name: value for name, value in request.headers.items() if name not in {"cookie", "content-length"}}
    target = path.path + (f"?{path.query}" if path.query else "")
    if request.method == "POST":
        kind = headers.pop("content-type", "text/plain")
        sent = here.run(client.post, target, request.post_data or "", content_type=kind, headers=headers)
    else:
        sent = here.run(client.get, target, headers=headers)
    if 300 <= sent.status_code < 400 and request.is_navigation_request():
        # Playwright does not route the request that follows a redirect, so the page itself goes there.
        page = f'<meta http-equiv="refresh" content="0;url={escape(sent["Location"])}">'
        return route.fulfill(status=200, content_type="text/html", body=page)
    answered = {name: value for name, value in sent.headers.items() if name.lower() != "content-length"}
    return route.fulfill(status=sent.status_code, headers=answered, body=sent.content)


@pytest.fixture
def screen(
    browser: Browser,
    browser_client: Callable[..., Client],
) -> Iterator[Screen]:
    """``screen(actor, "/inbox/", width=390, theme="dark")``: a page whose script and policy errors fail the test.

    Asked for after the actor and what they have, so that the page sees them.
    """
    pages: list[Page] = []
    # Playwright calls back in a context of its own, which has another database connection.
    here = copy_context()
    problems: list[str] = []

    def opened(actor: Actor, path: str, *, width: int = 1280, theme: str = "light") -> Page:
        client = browser_client(actor)
        page = open_page(browser, problems, viewport={"width": width, "height": 800}, has_touch=width < 720)
        pages.append(page)
        client.cookies["theme"] = theme
        page.route("**/*", lambda route: answer(route, client, here))
        page.goto(tenant_url(actor.tenant, path))
        return page

    yield opened
    for page in pages:
        page.context.close()
    assert not problems
