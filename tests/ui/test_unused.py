"""Styles and templates that no page uses any more."""

import re
from pathlib import Path

from django.conf import settings

ROOT = Path(settings.ROOT)
FOLDERS = ("templates", "static/js", "crm", "tenants", "billing", "api", "platform")
# Classes that Django and htmx name, and those that are put together from a word and a value.
PUT_TOGETHER = {
    *("errorlist", "htmx-request"),
    *("avatar-24", "avatar-28", "avatar-40", "callout-ok", "toast-warning", "is-lost", "is-won"),
}
COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)


def said() -> str:
    """All that the product's templates, scripts and code say."""
    found = (path for folder in FOLDERS for path in sorted((ROOT / folder).rglob("*")))
    return "\n".join(path.read_text() for path in found if path.suffix in {".html", ".js", ".py", ".txt"})


def test_each_style_is_of_something_that_a_page_shows():
    styles = "".join(COMMENT.sub("", path.read_text()) for path in sorted((ROOT / "static/css").rglob("*.css")))
    selectors = [one for one in re.findall(r"([^{}]+)\{", styles) if not one.strip().startswith("@")]
    named = {name for one in selectors for name in re.findall(r"\.(-?[A-Za-z_][\w-]*)", one)}
    assert named - set(re.findall(r"[\w-]+", said())) == PUT_TOGETHER


def test_each_component_is_part_of_a_page():
    """The gallery of the tests shows what pages use, and keeps nothing alive."""
    text = said()
    by_tag = set(re.findall(r'_component\(\s*"(\w+)"', text))
    components = {path.stem for path in (ROOT / "templates/components").glob("*.html")}
    assert {name for name in components - by_tag if f"components/{name}.html" not in text} == set()
