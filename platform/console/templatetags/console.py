"""Words and colours of the console's pages."""

from django import template
from django.utils.functional import Promise

from console.words import ACCESS, ACCESS_COLORS

register = template.Library()


@register.filter
def access_label(state: str) -> str | Promise:
    """A state of billing in words; a word that is not ours as it came."""
    return ACCESS.get(state, state.replace("_", " "))


@register.filter
def access_color(state: str) -> str:
    return ACCESS_COLORS.get(state, "gray")
