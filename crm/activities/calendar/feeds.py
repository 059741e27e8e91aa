"""One's own activities as a calendar that other programs subscribe to (RFC 5545), by a secret address."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import override

from crm.activities.calendar.ical import Writer, series_of
from crm.activities.calendar.pages import MAX_SHOWN
from crm.activities.models import CalendarFeed
from crm.activities.rules import WHEN
from crm.activities.selectors import agenda
from crm.activities.series.ahead import heads
from crm.records.errors import Forbidden
from crm.workspace.actors import actor_for_member
from crm.workspace.auditing import audit_note
from crm.workspace.models import Member
from tenants.actors import Actor, TenantRef
from tenants.workspaces.entitlements import require_writable

PAST, AHEAD = timedelta(days=90), timedelta(days=365)
MAX_IN_FEED = 4 * MAX_SHOWN
SEEN_EVERY = timedelta(minutes=10)


@dataclass(frozen=True, slots=True)
class Feed:
    body: bytes
    etag: str


def _hashed(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()


def _member_of(actor: Actor) -> UUID:
    if actor.member_id is None:
        raise Forbidden(_("Only a member has a calendar."))
    return actor.member_id


def feed_make(actor: Actor) -> str:
    """Give the member a feed, in place of the one they had; the secret part of its address, known only now."""
    require_writable(actor.tenant)
    if actor.visitor:
        raise Forbidden(_("Only the member can make this address: it is a secret of theirs."))
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        Member.objects.select_for_update(no_key=True).get(pk=_member_of(actor))
        CalendarFeed.objects.filter(member_id=_member_of(actor)).delete()
        CalendarFeed.objects.create(member_id=_member_of(actor), token_hash=_hashed(token))
        audit_note(actor, "member.calendar_feed_made")
    return token


def feed_stop(actor: Actor) -> None:
    with transaction.atomic():
        if CalendarFeed.objects.filter(member_id=_member_of(actor)).delete()[0]:
            audit_note(actor, "member.calendar_feed_stopped")


def feed_drop_since(actor: Actor, *, member_id: UUID, moment: datetime) -> None:
    """End a member's feed if it was made from a moment on."""
    if CalendarFeed.objects.filter(member_id=member_id, created_at__gte=moment).delete()[0]:
        audit_note(actor, "member.calendar_feed_stopped", record_id=member_id)


def feed_of(actor: Actor) -> CalendarFeed | None:
    return CalendarFeed.objects.filter(member_id=_member_of(actor)).first()


def feed_read(tenant: TenantRef, token: str) -> Feed | None:
    """What stands in the calendar of the feed's member, as they may see it now; None for an unknown token."""
    feed = CalendarFeed.objects.filter(token_hash=_hashed(token)).first()
    actor = actor_for_member(tenant, feed.member_id) if feed else None
    if feed is None or actor is None or actor.member_id is None:
        return None
    now = timezone.now()
    if feed.read_at is None or feed.read_at < now - SEEN_EVERY:
        CalendarFeed.objects.filter(pk=feed.pk).update(read_at=now)
    nouns = [noun for noun in WHEN if actor.can(noun, "view")]
    rows = agenda(actor, now - PAST, now + AHEAD, [actor.member_id], nouns=nouns, limit=MAX_IN_FEED)
    series = series_of(actor, actor.member_id, rows, heads(actor, [actor.member_id], nouns))
    with override(actor.locale):
        body = Writer(tenant, actor.member_id).calendar(rows, series)
    return Feed(body, f'"{hashlib.sha256(body).hexdigest()[:32]}"')
