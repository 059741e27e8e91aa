"""What a workspace tells its members of by itself."""

from django.utils.translation import gettext_lazy as _

from crm.workspace.notifications.notify import Channel, register_kind

ADDRESS_CHANGED = "address_changed"
INVITATION_ACCEPTED = "invitation_accepted"
HANDED_OVER = "handed_over"
SEAT_MISSING = "seat_missing"

register_kind(
    HANDED_OVER, _("A colleague's work is handed over to me"), (Channel.IN_APP, Channel.MAIL), icon="arrow-right-left"
)
register_kind(INVITATION_ACCEPTED, _("Somebody accepts my invitation"), (Channel.IN_APP,), icon="user-round-plus")
register_kind(
    SEAT_MISSING,
    _("Somebody who was invited finds no free seat"),
    (Channel.IN_APP, Channel.MAIL),
    icon="armchair",
    color="amber",
)
register_kind(ADDRESS_CHANGED, _("The workspace gets another address"), (Channel.IN_APP,), icon="globe")
