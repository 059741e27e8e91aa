"""The search inside the settings: pages and sections, in one's language, only what one may open."""

import re

import pytest
from django.conf import settings
from django.urls import set_urlconf
from django.utils import translation

from crm.workspace.settings.pages import PAGES, open_pages, search

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _addresses_of_a_workspace():
    set_urlconf(settings.TENANT_URLCONF)
    yield
    set_urlconf(None)


def labels(actor, text):
    return [hit.label for hit in search(actor, text)]


def test_words_find_pages_and_sections(owner):
    assert "Rates from a file" in labels(owner, "ecb")
    assert "Rates from a file" in labels(owner, "  RATES   file ")
    assert "Theme" in labels(owner, "dark")
    assert labels(owner, "dárk") == labels(owner, "dark")
    assert labels(owner, "") == []
    assert labels(owner, "nothing is called that") == []


def test_what_one_may_not_open_is_not_found(owner, seller):
    assert "Currencies" in labels(owner, "currencies")
    assert "Currencies" not in labels(seller, "currencies")
    for word in ("a", "e", "i", "o"):
        assert all(hit.page.open_to(seller) for hit in search(seller, word))


def shown(answer):
    """The addresses of the pages and parts of the list that can be seen."""
    entries = re.findall(r'<a class="settings-entry[^"]*" href="([^"]*)"([^>]*)>', answer.content.decode())
    return [href for href, rest in entries if not rest.endswith(" hidden")]


def test_one_page_has_all_settings_group_by_group(owner, seller, browser_client):
    pages = [page.href for page in open_pages(owner)]
    assert shown(browser_client(owner).get("/settings/")) == pages
    own = shown(browser_client(seller).get("/settings/"))
    assert "/settings/personal/" in own
    assert "/settings/currencies/" not in own


def test_the_page_finds_without_scripts(owner, seller, browser_client):
    assert shown(browser_client(owner).get("/settings/", {"q": "rates file"})) == ["/settings/currencies/#file"]
    own = browser_client(seller).get("/settings/", {"q": "currencies"})
    assert shown(own) == []
    assert "No setting is called that" in own.content.decode()
    for text in ("<script>", "\x00", "x" * 5000, "%"):
        assert browser_client(seller).get("/settings/", {"q": text}).status_code == 200


def test_a_page_says_where_it_is(owner, browser_client):
    """On a phone the list of settings is a page of its own: what leads back to it stands on top of each."""
    client = browser_client(owner)
    for address in [page.href for page in PAGES if page.slug != "trash"]:
        crumbs = client.get(address).content.decode().split('class="crumbs settings-crumbs"')[1]
        assert re.findall(r'<a href="([^"]*)"', crumbs.split("</nav>")[0]) == ["/settings/", address]


def test_every_page_and_anchor_is_there(owner, browser_client):
    """A section that was renamed would lead nowhere."""
    client = browser_client(owner)
    for page, address in [(page, page.href) for page in PAGES]:
        answer = client.get(address)
        assert answer.status_code in (200, 302), page.slug
        body = answer.content.decode()
        for section in page.sections:
            assert re.search(rf'\bid="{section.anchor}"', body), f"{page.slug}#{section.anchor}"


def test_in_ones_language(owner):
    with translation.override("en-gb"):
        assert labels(owner, "currencies")
