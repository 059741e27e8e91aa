"""What a page offers to press, read from its HTML, and what is wrong with it: empty, dead, or without effect."""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from django.conf import settings
from django.contrib.staticfiles import finders
from django.core.mail import EmailMultiAlternatives
from django.urls import Resolver404, resolve

from tenants.workspaces.hosts import api_url, public_url

SCRIPTS = "\n".join(path.read_text() for path in sorted(Path(settings.ROOT, "static/js").rglob("*.js")))
HANDLED = frozenset(re.findall(r"\[(data-[a-z-]+)", SCRIPTS))
"""Attributes of which our scripts know."""
ASKED = ("hx-get", "hx-post", "hx-put", "hx-patch", "hx-delete")
GOES = {"a": ("href",), "form": ("action", *ASKED), "img": ("src",), "link": ("href",), "script": ("src",)}
VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr"}


@dataclass
class Element:
    tag: str
    attributes: dict[str, str | None]
    form: "Element | None" = None
    inside: "tuple[Element, ...]" = ()

    def matches(self, selector: str) -> bool:
        """Whether one of the few selectors that templates use names it: a tag, ``.class``, ``[attribute]``."""
        if selector.startswith("."):
            return selector[1:] in (self.get("class") or "").split()
        return selector[1:-1] in self if selector.startswith("[") else self.tag == selector

    def get(self, name: str) -> str | None:
        return self.attributes.get(name)

    def __contains__(self, name: str) -> bool:
        return name in self.attributes

    def __str__(self) -> str:
        return f"<{self.tag} {' '.join(f'{name}={value!r}' for name, value in self.attributes.items())}>"


@dataclass
class Page(HTMLParser):
    elements: list[Element] = field(default_factory=list)
    opened: list[Element] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        form = next((one for one in reversed(self.opened) if one.tag == "form"), None)
        element = Element(tag, dict(attrs), form, tuple(self.opened))
        self.elements.append(element)
        if tag not in VOID:
            self.opened.append(element)

    def handle_endtag(self, tag: str) -> None:
        for place in range(len(self.opened) - 1, -1, -1):
            if self.opened[place].tag == tag:
                del self.opened[place:]
                return


def read(html: str) -> Page:
    page = Page()
    page.feed(html)
    return page


@dataclass(frozen=True)
class Target:
    """Where something leads: ``asked`` by a link or by htmx with GET, else it is sent with what a form holds."""

    url: str
    asked: bool


def targets(page: Page, at: str) -> Iterator[Target]:
    for one in page.elements:
        for name in (*GOES.get(one.tag, ()), *(ASKED if one.tag != "form" else ()), "data-edit", "data-move"):
            value = one.get(name)
            if value and not value.startswith("#"):
                sent = name in ("hx-post", "hx-put", "hx-patch", "hx-delete", "data-move")
                sent |= name == "action"
                yield Target(urljoin(at, value), asked=not sent)


def problems(page: Page, at: str) -> list[str]:
    """What is wrong with the links, forms and buttons of the page at the address ``at``."""
    ids = {one.get("id") for one in page.elements}
    found = []
    for one in page.elements:
        for name in (*GOES.get(one.tag, ()), *ASKED):
            value = one.get(name)
            if name in one and (not value or value == "#"):
                found.append(f"{name} is empty: {one}")
            elif value and value.startswith("#") and value[1:] not in ids:
                found.append(f"leads to no place on its page: {one}")
        if (aim := one.get("hx-target")) and not is_there(aim, one, ids):
            found.append(f"hx-target names nothing on the page, so nothing is sent: {one}")
        if one.tag == "a" and "href" not in one and not any(outer.tag == "template" for outer in one.inside):
            found.append(f"a link without an address: {one}")
        if one.tag == "button" and (why := idle(one, ids)):
            found.append(f"{why}: {one}")
    found += [f"dead: {target.url}" for target in targets(page, at) if not leads_somewhere(target.url)]
    return found


def is_there(aim: str, element: Element, ids: set[str | None]) -> bool:
    """Whether htmx finds what an element's answer is to go into; without it, it sends nothing."""
    if aim.startswith("#"):
        return aim[1:] in ids
    closest = aim.removeprefix("closest ")
    return closest == aim or any(one.matches(closest) for one in (element, *element.inside))


def idle(button: Element, ids: set[str | None]) -> str:
    """Why nothing happens when the button is pressed; empty when something does."""
    for name in ("popovertarget", "data-opens", "form"):
        if name in button and button.get(name) not in ids:
            return f"{name} names nothing on the page"
    if "disabled" in button or "popovertarget" in button or any(name in button for name in ASKED):
        return ""
    if (button.get("type") or "submit") in ("submit", "reset"):
        return "" if button.form or "form" in button else "sends no form"
    return "" if HANDLED & button.attributes.keys() else "nothing listens to it"


@cache
def leads_somewhere(url: str) -> bool:
    """Whether an address is one of ours that is there, one of Stripe's or of its stand-in, or another program's."""
    parts = urlsplit(url)
    if parts.scheme in ("mailto", "tel"):
        return bool(parts.path.strip())
    if parts.scheme == "data":
        return True
    if parts.path.startswith(settings.STATIC_URL):
        return finders.find(parts.path.removeprefix(settings.STATIC_URL)) is not None
    host = parts.netloc
    if host.endswith(".stripe.com") or host.startswith("127.0.0.1:"):
        return True
    if host == urlsplit(public_url()).netloc:
        urlconf = settings.ROOT_URLCONF
    elif host == urlsplit(api_url()).netloc:
        urlconf = settings.API_URLCONF
    elif host.endswith("." + urlsplit(public_url()).netloc):
        urlconf = settings.TENANT_URLCONF
    else:
        return False
    try:
        resolve(parts.path or "/", urlconf)
    except Resolver404:
        return False
    return True


def mail_problems(message: EmailMultiAlternatives) -> list[str]:
    """What is wrong with the links of a mail, in both of its bodies."""
    found = [one for html, kind in message.alternatives if kind == "text/html" for one in problems(read(str(html)), "")]
    found += [f"dead: {url}" for url in re.findall(r"https?://[^\s<>]+", str(message.body)) if not leads_somewhere(url)]
    return [f"{message.subject}: {one}" for one in found]
