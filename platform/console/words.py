"""What the states of billing are called on the console's pages."""

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

ACCESS: Mapping[str, Promise] = {
    "pending": _("nothing chosen"),
    "trialing": _("trial"),
    "active": _("paid"),
    "canceling": _("cancelled, paid to its end"),
    "past_due": _("payment failed"),
    "read_only": _("read only"),
    "suspended": _("suspended by us"),
    "paused": _("paused"),
    "canceled": _("cancelled"),
    "retention": _("kept until deletion"),
    "deleted": _("deleted"),
}
ACCESS_COLORS: Mapping[str, str] = {
    "trialing": "blue",
    "active": "green",
    "canceling": "amber",
    "past_due": "orange",
    "read_only": "red",
    "suspended": "red",
    "paused": "amber",
    "canceled": "red",
    "retention": "red",
}
