"""Deals as cards of the board. Hundreds are shown at once, so their HTML is put together here and not in a template."""

from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal
from functools import cache

from django.urls import reverse
from django.utils import timezone
from django.utils.html import escape, format_html, format_html_join, strip_tags
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from lucide.templatetags.lucide import lucide

from crm.records.display.presenting import avatar, value_html
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.sales.board.columns import Card
from crm.workspace.text.formats import day_text, money_text
from tenants.actors import Actor

ICONS = {
    "late": "calendar-x",
    "none": "calendar-off",
    "planned": "calendar-clock",
    "undated": "calendar-clock",
    "move": "ellipsis",
}
NO_ID = "00000000-0000-0000-0000-000000000000"


@cache
def icons() -> SafeString:
    """The pictures on the cards, to be put on the page once: cards refer to them as ``#icon-<state>``."""
    drawn = (lucide(name, size=14, id=f"icon-{state}", stroke_width="1.75") for state, name in ICONS.items())
    return mark_safe("".join(drawn))  # noqa: S308 - icons of the package, no input


CARD = (
    '<li class="deal-card" id="card-{{id}}" data-card="{{id}}" data-name="{{name}}"{{swap}}>'
    '<a class="deal-name" href="{url}" draggable="false"{described}>{{name}}</a>{select}{move}{{company}}{{more}}'
    '<span class="deal-foot"><strong class="num">{{amount}}</strong>{{next}}{{age}}{{owner}}</span></li>'
)
MOVE = (
    '<button class="btn btn-ghost btn-icon deal-move" type="button" data-move aria-haspopup="menu" '
    'aria-label="{label}"><svg width="14" height="14" aria-hidden="true"><use href="#icon-move"/></svg></button>'
)
SELECT = '<input class="deal-check" type="checkbox" name="id" value="{{id}}" form="together" aria-label="{label}">'


class CardPrinter:
    """Prints the cards of one page; what many cards share is worked out once."""

    def __init__(self, actor: Actor, *, may_move: bool, may_bulk: bool, more: Sequence[Field] = ()) -> None:
        self.actor = actor
        self.may_move = may_move
        self.may_bulk = may_bulk
        self.more = more
        self.form = CARD.format(
            url=reverse("records:detail", args=["deals", NO_ID]).replace(NO_ID, "{id}"),
            described=' aria-describedby="board-help"' if may_move else "",
            select=SELECT.format(label=_about_name(_("Select %(name)s"))) if may_bulk else "",
            move=MOVE.format(label=_about_name(_("Move %(name)s to…"))) if may_move else "",
        )
        self.states = {
            "late": _("The next task is late"),
            "none": _("Nothing planned next"),
            "planned": _("Next task"),
            "undated": _("Next task"),
        }
        self.nexts: dict[tuple[str, date | None], SafeString] = {}
        self.amounts: dict[tuple[Decimal, str], SafeString] = {}
        self.owners: dict[tuple[str, str], SafeString] = {}
        self.ages: dict[tuple[int, bool], SafeString] = {}

    def cards(self, cards: Iterable[Card]) -> SafeString:
        return mark_safe("".join(self.card(card) for card in cards))  # noqa: S308 - each card is escaped

    def card(self, card: Card, *, swapped: bool = False) -> SafeString:
        """One card; ``swapped`` for the one that takes its older self's place."""
        return format_html(
            self.form,
            id=escape(card.id),
            name=escape(card.name),
            swap=mark_safe(' hx-swap-oob="true"') if swapped else "",
            more=self._more(card),
            company=format_html('<span class="deal-company truncate">{}</span>', card.company_name)
            if card.company_name
            else "",
            amount=self._amount(card),
            next=self._next(card),
            age=self._age(card),
            owner=self._owner(card),
        )

    def _amount(self, card: Card) -> SafeString | str:
        if card.amount is None:
            return ""
        key = (card.amount, card.currency)
        if key not in self.amounts:
            self.amounts[key] = escape(money_text(card.amount, card.currency, compact=True))
        return self.amounts[key]

    def _next(self, card: Card) -> SafeString:
        day = timezone.localtime(card.next_at).date() if card.next_at else None
        key = (card.next_state, day)
        if key not in self.nexts:
            label = self.states[card.next_state]
            self.nexts[key] = format_html(
                '<span class="deal-next is-{state}" title="{label}">'
                '<svg width="14" height="14" aria-hidden="true"><use href="#icon-{state}"/></svg>{when}</span>',
                state=card.next_state,
                label=label,
                when=day_text(day) if day else format_html('<span class="sr-only">{}</span>', label),
            )
        return self.nexts[key]

    def _age(self, card: Card) -> SafeString:
        days = card.days_in_stage
        key = (days, card.stale)
        if key not in self.ages:
            told = ngettext("%(days)s day in this stage", "%(days)s days in this stage", days) % {"days": days}
            if card.stale:
                told = _("%(told)s: longer than it should be") % {"told": told}
            self.ages[key] = format_html(
                '<span class="deal-age{}" title="{}">{}</span>',
                " is-stale" if card.stale else "",
                told,
                _("%(days)s d") % {"days": days},
            )
        return self.ages[key]

    def _more(self, card: Card) -> SafeString | str:
        if not self.more:
            return ""
        shown = [(one.label, self._value(one, card)) for one in self.more]
        return format_html_join(
            "",
            '<span class="deal-more truncate" title="{}">{}</span>',
            ((label, value) for label, value in shown if value),
        )

    def _value(self, one: Field, card: Card) -> str:
        """A field of the card in a few words, blank for an empty one."""
        value = card.more.get(one.slug)
        if value in (None, "", []):
            return ""
        match one.kind:
            case Kind.RELATION | Kind.MEMBER:
                return str(value)
            case Kind.LINKS:
                return ", ".join(value)
            case Kind.DATE:
                return day_text(value)
            case Kind.DATETIME:
                return day_text(value.astimezone(self.actor.time_zone).date())
        return strip_tags(str(value_html(one, {one.slug: value}, self.actor)))

    def _owner(self, card: Card) -> SafeString | str:
        if not card.owner_name:
            return ""
        key = (card.owner_name, card.owner_color or "")
        if key not in self.owners:
            self.owners[key] = format_html(
                '<span class="deal-owner" title="{}">{}<span class="sr-only">{}</span></span>',
                card.owner_name,
                avatar(*key),
                card.owner_name,
            )
        return self.owners[key]


def _about_name(words: str) -> str:
    """Words about ``%(name)s`` as a piece of a form whose ``{name}`` is still to come."""
    return escape(words).replace("{", "{{").replace("}", "}}") % {"name": "{name}"}
