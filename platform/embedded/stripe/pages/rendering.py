"""Pages out of their templates. Values are escaped by Django's engine, which needs no settings for it."""

from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

from django.template import Context, Engine

SELLER = "Rapport"
ENGINE = Engine(dirs=[str(Path(__file__).with_name("templates"))])
CSS = Path(__file__).with_name("page.css").read_bytes()


@dataclass(frozen=True)
class Page:
    """What a browser is answered."""

    status: int
    body: bytes = b""
    kind: str = "text/html; charset=utf-8"
    headers: dict[str, str] = field(default_factory=dict)


def rendered(template: str, status: int = HTTPStatus.OK, **values: Any) -> Page:
    context = Context({"seller": SELLER, **values}, use_l10n=False, use_tz=False)
    return Page(status, ENGINE.get_template(template).render(context).encode())


def message(title: str, text: str, *, link: str = "", link_text: str = "", status: int = HTTPStatus.OK) -> Page:
    return rendered("message.html", status, title=title, text=text, link=link, link_text=link_text)


def not_found() -> Page:
    return message("Not found", "There is nothing at this address.", status=HTTPStatus.NOT_FOUND)


def redirect(url: str) -> Page:
    return Page(HTTPStatus.SEE_OTHER, headers={"Location": url})


def pdf(body: bytes, name: str) -> Page:
    return Page(HTTPStatus.OK, body, "application/pdf", {"Content-Disposition": f'inline; filename="{name}.pdf"'})
