"""What a board's address asks for: a pipeline, a saved view, a filter, a search and quick filters, all together."""

from dataclasses import dataclass
from functools import cached_property
from typing import Self
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils.translation import gettext as _

from crm.records.lists.list_address import BOARD
from crm.records.lists.listing import Listing
from crm.records.schema.registry import registry
from crm.sales.board.columns import Asked, quick_filters
from tenants.actors import Actor

LABELS = {
    "mine": lambda: _("Mine"),
    "team": lambda: _("My team"),
    "closing": lambda: _("Closing this month"),
    "stale": lambda: _("Stale"),
    "idle": lambda: _("No next activity"),
}


@dataclass(frozen=True, slots=True)
class Link:
    """A quick filter."""

    label: str
    href: str
    current: bool


@dataclass(frozen=True)
class BoardAddress:
    """One board as its reader asked for it."""

    actor: Actor
    listing: Listing

    @classmethod
    def of(cls, actor: Actor, request: HttpRequest) -> Self:
        """Raises NotFound for a view that is not there."""
        return cls(actor, Listing.of(actor, registry.get("deal"), request, BOARD))

    @property
    def pipeline(self) -> str:
        return self.listing.pipeline

    @cached_property
    def asked(self) -> Asked:
        listing = self.listing
        return Asked(listing.condition, listing.search, quick_filters(self.actor, listing.quick), listing.cards)

    @property
    def quick_links(self) -> list[Link]:
        links = []
        on = quick_filters(self.actor, self.listing.quick)
        for name in quick_filters(self.actor):
            wanted = [one for one in on if one != name] if name in on else [*on, name]
            links.append(Link(LABELS[name](), self.listing.url(quick=",".join(wanted)), name in on))
        return links

    @property
    def query(self) -> str:
        return urlencode(self.listing.parameters())
