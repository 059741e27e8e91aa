"""Who works in one workspace: its members, their roles, invitations and notifications; and its settings."""

import hashlib
import json
from datetime import time
from typing import Any

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.workspace.permissions import FIXED_BY_SLUG, OWNER, fixed_permissions
from tenants.actors import Permissions
from tenants.db.fields import UUIDKey
from tenants.db.stamped import StampedModel


class WorkspaceModel(StampedModel):
    id = UUIDKey()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class Role(WorkspaceModel):
    """A named matrix of record type × action → scope. A fixed role takes its matrix from the release.

    ``fields`` says which fields the role does not see or may not change: record type → field → hidden or read.
    """

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    is_fixed = models.BooleanField(default=False)
    permissions = models.JSONField(default=dict)
    fields = models.JSONField(default=dict, db_default=models.Value({}, models.JSONField()))
    about = models.CharField(_("description"), max_length=200, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("role")
        verbose_name_plural = _("roles")

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        fixed = FIXED_BY_SLUG.get(self.slug) if self.is_fixed else None
        return str(fixed.name) if fixed else self.name

    @property
    def description(self) -> str:
        fixed = FIXED_BY_SLUG.get(self.slug) if self.is_fixed else None
        return str(fixed.description) if fixed else self.about

    @property
    def is_owner(self) -> bool:
        return self.is_fixed and self.slug == OWNER

    def matrix(self) -> Permissions:
        if self.is_fixed and self.slug in FIXED_BY_SLUG:
            return fixed_permissions(self.slug)
        return Permissions.from_json(self.permissions, self.fields)

    @property
    def fingerprint(self) -> str:
        """Differs when anything of the role does."""
        return hashlib.sha256(json.dumps(self.snapshot(), sort_keys=True).encode()).hexdigest()[:16]

    def snapshot(self) -> dict[str, Any]:
        """What an event shows of this role."""
        return {
            "slug": self.slug,
            "name": self.name,
            "about": self.about,
            "permissions": self.permissions,
            "fields": self.fields,
        }


class Team(WorkspaceModel):
    """People who work together, in a tree. Its head reaches it and all below, wherever they sit."""

    name = models.CharField(_("name"), max_length=80)
    parent = models.ForeignKey(
        "self", verbose_name=_("part of"), on_delete=models.PROTECT, null=True, blank=True, related_name="children"
    )
    head = models.ForeignKey(
        "Member", verbose_name=_("head"), on_delete=models.SET_NULL, null=True, blank=True, related_name="heads"
    )

    depth = 0
    """How many teams are above it, where a selector has counted them."""

    class Meta:
        verbose_name = _("team")
        verbose_name_plural = _("teams")
        ordering = ("name", "id")
        constraints = [
            models.CheckConstraint(
                condition=models.Q(parent=None) | ~models.Q(parent=models.F("id")), name="team_not_its_own_parent"
            )
        ]

    def __str__(self) -> str:
        return self.name

    def snapshot(self) -> dict[str, Any]:
        """What an event shows of this team."""
        return {
            "name": self.name,
            "parent": str(self.parent_id) if self.parent_id else None,
            "head": str(self.head_id) if self.head_id else None,
        }


class Member(WorkspaceModel):
    """A person in this workspace. ``user_id`` is the id of the shared User, kept as a plain value."""

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        DEACTIVATED = "deactivated", _("Deactivated")
        SAMPLE = "sample", _("Of the sample data")

    user_id = models.UUIDField(unique=True)
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("email"), max_length=254)
    role = models.ForeignKey(Role, verbose_name=_("role"), on_delete=models.PROTECT, related_name="members")
    manager = models.ForeignKey(
        "self", verbose_name=_("manager"), on_delete=models.SET_NULL, null=True, blank=True, related_name="reports"
    )
    team = models.ForeignKey(
        Team, verbose_name=_("team"), on_delete=models.SET_NULL, null=True, blank=True, related_name="members"
    )
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.ACTIVE)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    locale = models.CharField(_("language"), max_length=16, blank=True, default="")
    color = models.CharField(_("colour"), max_length=8, default="gray")
    number_format = models.CharField(_("numbers"), max_length=16, blank=True, default="", db_default="")
    date_format = models.CharField(_("dates"), max_length=16, blank=True, default="", db_default="")
    time_format = models.CharField(_("times"), max_length=16, blank=True, default="", db_default="")

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    @property
    def formats(self) -> tuple[str, str, str]:
        """How they write numbers, dates and times; empty is as the workspace does."""
        return self.number_format, self.date_format, self.time_format

    def snapshot(self) -> dict[str, Any]:
        """What an event shows of this member."""
        return {
            "name": self.name,
            "email": self.email,
            "role": self.role.slug,
            "manager": str(self.manager_id) if self.manager_id else None,
            "team": str(self.team_id) if self.team_id else None,
            "time_zone": self.time_zone,
            "state": self.state,
        }


class Invitation(WorkspaceModel):
    """An invitation sent by mail. Only a hash of its token is stored."""

    email = models.EmailField(_("email"), max_length=254)
    role = models.ForeignKey(Role, verbose_name=_("role"), on_delete=models.PROTECT, related_name="+")
    manager = models.ForeignKey(
        Member, verbose_name=_("manager"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    team = models.ForeignKey(
        Team, verbose_name=_("team"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    token_hash = models.CharField(max_length=64, unique=True)
    expires_at = models.DateTimeField()
    invited_by = models.ForeignKey(Member, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    accepted_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    token = ""
    """The plain token, known only on the instance that was just made or sent again."""

    class Meta:
        verbose_name = _("invitation")
        verbose_name_plural = _("invitations")
        ordering = ("-created_at",)
        constraints = [
            models.UniqueConstraint(
                Lower("email"),
                name="one_open_invitation_an_email",
                condition=models.Q(accepted_at=None, revoked_at=None),
            )
        ]

    def __str__(self) -> str:
        return self.email

    @property
    def expired(self) -> bool:
        return self.expires_at <= timezone.now()

    def snapshot(self) -> dict[str, Any]:
        """What the audit shows of this invitation."""
        return {"email": self.email, "role": self.role.slug, "expires_at": self.expires_at}


class Notification(WorkspaceModel):
    """Something a member is told, once for each ``key``. ``count`` is how many things one line stands for.

    ``change_id`` is the change that it tells of; while that is undone the notification is ``withdrawn_at``, in no inbox
    and no mail.
    """

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="notifications")
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=300)
    count = models.PositiveIntegerField(default=1, db_default=1)
    body = models.TextField(blank=True, default="")
    record_type = models.CharField(max_length=60, blank=True, default="")
    record_id = models.UUIDField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)
    in_app = models.BooleanField(default=True, db_default=True)
    change_id = models.UUIDField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    mail = models.ForeignKey(
        "NotificationMail", on_delete=models.SET_NULL, null=True, blank=True, related_name="notifications"
    )

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-created_at", "-id")
        constraints = [models.UniqueConstraint(fields=["member", "key"], name="notification_once_a_key")]
        indexes = [
            models.Index(fields=["member", "-created_at"], name="notification_recent"),
            models.Index(fields=["member"], name="notification_unread", condition=models.Q(read_at=None)),
            models.Index(fields=["member", "kind", "record_id", "created_at"], name="notification_group"),
            models.Index(fields=["change_id"], name="notification_change", condition=models.Q(change_id__isnull=False)),
        ]

    def __str__(self) -> str:
        return self.title


class NotificationMail(WorkspaceModel):
    """A mail that will tell a member of notifications of one kind, or (no kind) of all that are for their digest.

    It is claimed (``sending``) in a transaction before it is sent and marked sent in one after; whoever is killed in
    between leaves it at ``sending``, and it is not sent again.
    """

    class State(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RETRY = "retry", _("Waiting for another try")
        SENDING = "sending", _("Being sent")
        SENT = "sent", _("Sent")
        EMPTY = "empty", _("Nothing to tell")
        FAILED = "failed", _("Not delivered")

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="+")
    kind = models.CharField(max_length=60, blank=True, default="")
    state = models.CharField(max_length=8, choices=State, default=State.QUEUED)
    due_at = models.DateTimeField()
    sent_at = models.DateTimeField(null=True, blank=True)
    failures = models.PositiveIntegerField(default=0)
    error = models.TextField(blank=True, default="")

    class Meta:
        verbose_name = _("mail of notifications")
        verbose_name_plural = _("mails of notifications")
        constraints = [
            models.UniqueConstraint(
                fields=["member", "kind"], condition=models.Q(state="queued"), name="notification_mail_once_waiting"
            )
        ]
        indexes = [
            models.Index(
                fields=["due_at"], condition=models.Q(state__in=["queued", "retry"]), name="notification_mail_due"
            ),
            models.Index(fields=["sent_at"], condition=models.Q(sent_at__isnull=False), name="notification_mail_sent"),
            models.Index(fields=["member", "kind", "-sent_at"], name="notification_mail_last"),
        ]

    def __str__(self) -> str:
        return f"{self.kind or 'digest'} · {self.state}"


def workdays() -> list[int]:
    return [0, 1, 2, 3, 4]


class NotificationChoices(WorkspaceModel):
    """How a member wants to be told; without a row the defaults hold.

    ``channels`` has the chosen channels of kinds whose defaults were changed. Days are numbers, Monday 0; hours and
    times are in the member's zone.
    """

    member = models.OneToOneField(Member, on_delete=models.CASCADE, related_name="notification_choices")
    channels = models.JSONField(default=dict, blank=True)
    only_mine = models.BooleanField(default=False)
    digest_days = models.JSONField(default=workdays)
    digest_hour = models.PositiveSmallIntegerField(default=8)
    quiet = models.BooleanField(default=False)
    quiet_from = models.TimeField(default=time(20))
    quiet_until = models.TimeField(default=time(7))
    quiet_days_off = models.BooleanField(default=False)
    quiet_holidays = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("choices of notifications")
        verbose_name_plural = _("choices of notifications")

    def __str__(self) -> str:
        return str(self.member_id)


class WorkspaceSettings(WorkspaceModel):
    """What a workspace chose beside what its Tenant row says; at most one row. Without one the defaults hold.

    Read it through ``crm.workspace.configuration``. An empty format, and a week without a start, follow the language.
    """

    only = models.BooleanField(default=True, unique=True, editable=False)
    logo = models.CharField(max_length=40, blank=True, default="")
    currencies = models.JSONField(null=True, blank=True)
    number_format = models.CharField(_("numbers"), max_length=16, blank=True, default="")
    date_format = models.CharField(_("dates"), max_length=16, blank=True, default="")
    time_format = models.CharField(_("times"), max_length=16, blank=True, default="")
    week_start = models.PositiveSmallIntegerField(_("first day of the week"), null=True, blank=True)
    working_hours = models.JSONField(null=True, blank=True)
    holiday_country = models.CharField(_("country"), max_length=2, blank=True, default="")
    holiday_region = models.CharField(_("region"), max_length=40, blank=True, default="")
    escalation_hours = models.PositiveSmallIntegerField(_("hours until a manager is told"), default=24, db_default=24)

    class Meta:
        verbose_name = _("workspace settings")
        verbose_name_plural = _("workspace settings")
        constraints = [models.CheckConstraint(condition=models.Q(only=True), name="workspace_settings_once")]

    def __str__(self) -> str:
        return str(_("workspace settings"))


class Holiday(WorkspaceModel):
    """A day on which nobody works here."""

    on = models.DateField(_("day"), unique=True)
    name = models.CharField(_("name"), max_length=80)

    class Meta:
        verbose_name = _("holiday")
        verbose_name_plural = _("holidays")
        ordering = ("on",)

    def __str__(self) -> str:
        return self.name


class ExchangeRate(WorkspaceModel):
    """From ``on`` until the next one, a unit of ``currency`` is worth ``rate`` units of the workspace's currency."""

    currency = models.CharField(_("currency"), max_length=3)
    on = models.DateField(_("from"))
    rate = models.DecimalField(_("rate"), max_digits=30, decimal_places=15)

    class Meta:
        verbose_name = _("exchange rate")
        verbose_name_plural = _("exchange rates")
        ordering = ("currency", "-on")
        constraints = [
            models.UniqueConstraint(fields=["currency", "on"], name="exchange_rate_once_a_day"),
            models.CheckConstraint(condition=models.Q(rate__gt=0), name="exchange_rate_above_zero"),
        ]

    def __str__(self) -> str:
        return f"{self.currency} {self.on}"
