"""Words and colours of the console's pages."""

from typing import cast

from django import template
from django.utils.functional import Promise

from billing.access import State
from billing.plans.wording import STATE_COLORS, STATES

register = template.Library()


@register.filter
def access_label(state: str) -> str | Promise:
    """A state of billing in words; a word that is not ours as it came."""
    return STATES.get(cast(State, state), state.replace("_", " "))


@register.filter
def access_color(state: str) -> str:
    return STATE_COLORS.get(cast(State, state), "gray")
