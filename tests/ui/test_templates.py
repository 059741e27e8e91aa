"""Templates keep to the content security policy, name icons that exist, and leave their words to gettext."""

import re
from pathlib import Path

import lucide
import pytest
from django.conf import settings
from django.template.loader import get_template

ROOT = settings.ROOT / "templates"
TEMPLATES = sorted(ROOT.rglob("*.html"))
PLAIN_WORDS = {"Rapport", "Esc", "Ctrl", "Ctrl K", "Ctrl ↵"}
"""Names and the words on keys, the same in every language."""
MAILS = "mail"

tags = re.compile(r"{%.*?%}|{{.*?}}|{#.*?#}", re.DOTALL)
translated = re.compile(r"{% *blocktrans(?:late)?\b.*?{% *endblocktrans(?:late)? *%}", re.DOTALL)
comments = re.compile(r"{% *comment *%}.*?{% *endcomment *%}", re.DOTALL)
code = re.compile(r"<(pre|code|style|script|svg)\b.*?</\1>", re.DOTALL)
words = re.compile(r"[^\W\d_]{2,}")
classes = re.compile(r"{% *block \w+_class *%}.*?{% *endblock", re.DOTALL)
names = re.compile(r'<(\w+)[^>]*\btranslate="no"[^>]*>.*?</\1>', re.DOTALL)
spoken = re.compile(r'\b(?:title|aria-label|placeholder|alt|data-command|data-confirm)="([^"]*)"')


def of_a_page(path: Path) -> bool:
    return MAILS not in path.parts and not path.name.endswith(".txt")


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.fixture(params=[path for path in TEMPLATES if of_a_page(path)], ids=name_of)
def path(request: pytest.FixtureRequest) -> Path:
    found: Path = request.param
    return found


def test_it_compiles(path: Path) -> None:
    get_template(name_of(path))


def test_it_has_no_inline_style_or_script(path: Path) -> None:
    text = tags.sub("", path.read_text())
    assert not re.search(r"<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|\shx-on|javascript:|hx-vals=[\"']js:", text)
    for attributes in re.findall(r"<script\b([^>]*)>", text):
        assert "src=" in attributes or 'type="application/json"' in attributes


def test_it_asks_no_other_host(path: Path) -> None:
    assert not re.search(r"(?:src|href|action)=\"(?:https?:)?//", path.read_text())


def test_its_icons_exist(path: Path) -> None:
    text = path.read_text()
    for name in re.findall(r'{% icon "([^"]+)"', text) + re.findall(r'\bicon="([a-z0-9-]+)"', text):
        assert lucide._load_icon(name) is not None


def test_its_words_can_be_translated(path: Path) -> None:
    text = path.read_text()
    for kind in (translated, comments, classes, names, code):
        text = kind.sub(" ", text)
    for value in spoken.findall(tags.sub("", text)):
        assert not words.search(value) or value in PLAIN_WORDS, f"not in gettext: {value!r}"
    visible = re.sub(r"<[^>]*>", "\n", tags.sub(" ", text))
    left = {line.strip(" ·()#:–…“”\"'") for line in visible.splitlines()}
    assert {line for line in left if words.search(line)} <= PLAIN_WORDS


def test_what_asks_for_itself_anew_and_is_replaced_gives_up_what_it_asked_before(path: Path) -> None:
    """htmx keeps a second request with the element that asked, which the first answer takes off the page."""
    for element in re.findall(r"<\w+\s(?:{[{%].*?[%}]}|[^>{])*>", path.read_text()):
        if "from:body" in element and 'hx-swap="outerHTML"' in element:
            assert 'hx-sync="this:replace" hx-disinherit="hx-sync"' in element
