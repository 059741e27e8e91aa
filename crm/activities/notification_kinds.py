"""What members are told of tasks, meetings and notes."""

from django.utils.translation import gettext_lazy as _

from crm.activities.selectors import replies_of
from crm.workspace.notifications.notify import Channel, register_kind

ASSIGNED = "assigned"
MENTIONED = "mentioned"
MEETING_INVITED = "meeting_invited"
MEETING_MOVED = "meeting_moved"
MEETING_CANCELLED = "meeting_cancelled"
MEETING_REPLIED = "meeting_replied"
REMINDER = "reminder"
TASK_OVERDUE = "task_overdue"
ESCALATION = "escalation"

register_kind(MENTIONED, _("Somebody mentions me"), (Channel.IN_APP, Channel.MAIL), icon="at-sign", color="blue")
register_kind(ASSIGNED, _("Something becomes mine"), (Channel.IN_APP, Channel.DIGEST), icon="user-round-check")
register_kind(
    MEETING_INVITED,
    _("I am invited to a meeting"),
    (Channel.IN_APP, Channel.MAIL),
    icon="calendar-plus",
    answers="activities/reply_line.html",
    standing=replies_of,
)
register_kind(
    MEETING_MOVED,
    _("A meeting I am invited to is moved"),
    (Channel.IN_APP, Channel.MAIL),
    icon="calendar-clock",
    answers="activities/reply_line.html",
    standing=replies_of,
)
register_kind(
    MEETING_CANCELLED,
    _("A meeting I am invited to is called off"),
    (Channel.IN_APP, Channel.MAIL),
    icon="calendar-x",
)
register_kind(MEETING_REPLIED, _("A guest answers my meeting"), (Channel.IN_APP,), icon="calendar-check")
register_kind(REMINDER, _("A reminder is due"), (Channel.IN_APP,), icon="bell-ring", color="amber")
register_kind(
    TASK_OVERDUE,
    _("A task is overdue"),
    (Channel.IN_APP, Channel.DIGEST),
    icon="alarm-clock",
    color="red",
    personal=False,
)
register_kind(
    ESCALATION,
    _("A task of somebody I manage stays undone"),
    (Channel.IN_APP, Channel.MAIL),
    icon="siren",
    color="red",
    personal=False,
)
