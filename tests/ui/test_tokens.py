"""Whoever reads Rapport can read it: contrast of the tokens in both themes, computed after WCAG 2.2."""

import re
from itertools import product

import pytest
from django.conf import settings

from crm.workspace.colors import COLORS

TOKENS = (settings.ROOT / "static/css/tokens.css").read_text()
PAIRS = {
    name: (light, dark)
    for name, light, dark in re.findall(r"--([a-z-]+): light-dark\((#[0-9a-f]{6}), (#[0-9a-f]{6})\);", TOKENS)
}
THEMES = {"light": 0, "dark": 1}
SURFACES = ("bg", "bg-subtle", "bg-sidebar", "bg-hover", "bg-active", "bg-float")
PAGE = ("bg", "bg-subtle", "bg-float")

TEXT = [
    *product(("text", "text-strong", "muted", "accent-text"), SURFACES),
    *product(("ok", "warning", "danger"), PAGE),
    *((f"{color}-ink", f"{color}-tint") for color in COLORS),
    *product([f"{color}-ink" for color in COLORS], ["bg"]),
    ("on-accent", "accent"),
    ("on-accent", "accent-hover"),
    ("on-accent", "danger-fill"),
    ("accent-text", "accent-tint"),
    ("text", "accent-tint"),
    ("ok", "ok-tint"),
    ("text", "ok-tint"),
    ("warning-on-tint", "warning-tint"),
    ("text", "warning-tint"),
    ("danger", "danger-tint"),
    ("text", "danger-tint"),
]
GRAPHICS = [
    *product(("control", "focus"), PAGE),
    *product(("icon",), SURFACES),
    ("accent", "bg"),
    ("accent", "bg-subtle"),
]


def luminance(color: str) -> float:
    parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_the_formula_gives_the_values_of_the_standard() -> None:
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("front", "back"), TEXT, ids=lambda one: str(one))
def test_text_has_4_5_to_1(front: str, back: str, theme: str) -> None:
    at = THEMES[theme]
    assert contrast(PAIRS[front][at], PAIRS[back][at]) >= 4.5


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize(("front", "back"), GRAPHICS, ids=lambda one: str(one))
def test_borders_of_controls_and_icons_have_3_to_1(front: str, back: str, theme: str) -> None:
    at = THEMES[theme]
    assert contrast(PAIRS[front][at], PAIRS[back][at]) >= 3


def test_the_twelve_colours_are_the_same_everywhere() -> None:
    in_css = tuple(re.findall(r'\[data-color="([a-z]+)"\]', TOKENS))
    assert len(COLORS) == 12
    assert in_css == COLORS


def test_every_custom_property_that_is_used_exists() -> None:
    sheets = {path: path.read_text() for path in (settings.ROOT / "static/css").rglob("*.css")}
    known = set(re.findall(r"(--[a-z0-9-]+)\s*:", "".join(sheets.values())))
    for path, text in sheets.items():
        used = set(re.findall(r"var\((--[a-z0-9-]+)\s*\)", text))
        assert used <= known, f"{path.name}: {sorted(used - known)}"
