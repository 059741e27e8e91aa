"""Announcements, as the console makes and ends them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import Count, QuerySet

from console.auditing import Action, Operator, audit_note
from tenants.models import Announcement, Tenant
from tenants.workspaces import announcements

MAX_LISTED = 100


def announcements_made() -> QuerySet[Announcement]:
    """The newest, each with ``reached``: in how many workspaces it is shown."""
    return Announcement.objects.annotate(reached=Count("recipients")).order_by("-id")[:MAX_LISTED]


def announce(
    operator: Operator,
    *,
    texts: Mapping[str, str],
    language: str,
    until: datetime,
    to: QuerySet[Tenant],
    audience: Mapping[str, Any],
) -> int:
    """Show a message in workspaces; gives in how many."""
    with transaction.atomic():
        made, count = announcements.announce(
            texts=texts, language=language, until=until, to=to, audience=audience, author=operator.user.email
        )
        audit_note(operator, Action.ANNOUNCED, about=str(made), count=count, until=until.isoformat(), to=dict(audience))
    return count


def announcement_end(operator: Operator, announcement: Announcement, *, reason: str) -> bool:
    """Show it no more; False when it was over."""
    with transaction.atomic():
        ended = announcements.announcement_end(announcement)
        if ended:
            audit_note(operator, Action.ANNOUNCEMENT_ENDED, about=str(announcement), reason=reason)
    return ended
