"""Who works in one workspace: its members, their roles, invitations and notifications."""

from typing import Any

from django.db import models
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from crm.workspace.roles import FIXED_BY_SLUG, OWNER, fixed_permissions
from tenants.actors import Permissions
from tenants.fields import UUIDKey
from tenants.stamped import StampedModel

COLORS = ("gray", "red", "orange", "amber", "yellow", "lime", "green", "teal", "cyan", "blue", "violet", "pink")


class WorkspaceModel(StampedModel):
    id = UUIDKey()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        abstract = True


class Role(WorkspaceModel):
    """A named matrix of record type × action → scope. A fixed role takes its matrix from the release."""

    slug = models.SlugField(max_length=40, unique=True)
    name = models.CharField(max_length=80)
    is_fixed = models.BooleanField(default=False)
    permissions = models.JSONField(default=dict)

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
        return str(fixed.description) if fixed else ""

    @property
    def is_owner(self) -> bool:
        return self.is_fixed and self.slug == OWNER

    def matrix(self) -> Permissions:
        if self.is_fixed and self.slug in FIXED_BY_SLUG:
            return fixed_permissions(self.slug)
        return Permissions.from_json(self.permissions)


class Member(WorkspaceModel):
    """A person in this workspace. ``user_id`` is the id of the shared User, kept as a plain value."""

    class State(models.TextChoices):
        ACTIVE = "active", _("Active")
        DEACTIVATED = "deactivated", _("Deactivated")

    user_id = models.UUIDField(unique=True)
    name = models.CharField(_("name"), max_length=120)
    email = models.EmailField(_("email"), max_length=254)
    role = models.ForeignKey(Role, verbose_name=_("role"), on_delete=models.PROTECT, related_name="members")
    manager = models.ForeignKey(
        "self", verbose_name=_("manager"), on_delete=models.SET_NULL, null=True, blank=True, related_name="reports"
    )
    state = models.CharField(_("state"), max_length=12, choices=State, default=State.ACTIVE)
    time_zone = models.CharField(_("time zone"), max_length=64, blank=True, default="")
    locale = models.CharField(_("language"), max_length=16, blank=True, default="")
    color = models.CharField(_("colour"), max_length=8, default="gray")

    class Meta:
        verbose_name = _("member")
        verbose_name_plural = _("members")
        ordering = ("name", "id")

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE

    def snapshot(self) -> dict[str, Any]:
        """What an event shows of this member."""
        return {
            "name": self.name,
            "email": self.email,
            "role": self.role.slug,
            "manager": str(self.manager_id) if self.manager_id else None,
            "state": self.state,
        }


class Invitation(WorkspaceModel):
    """An invitation sent by mail. Only a hash of its token is stored."""

    email = models.EmailField(_("email"), max_length=254)
    role = models.ForeignKey(Role, verbose_name=_("role"), on_delete=models.PROTECT, related_name="+")
    manager = models.ForeignKey(
        Member, verbose_name=_("manager"), on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
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


class Notification(WorkspaceModel):
    """Something a member is told inside the workspace, once for each ``key``."""

    member = models.ForeignKey(Member, on_delete=models.CASCADE, related_name="notifications")
    key = models.CharField(max_length=200)
    kind = models.CharField(max_length=60)
    title = models.CharField(max_length=300)
    body = models.TextField(blank=True, default="")
    record_type = models.CharField(max_length=60, blank=True, default="")
    record_id = models.UUIDField(null=True, blank=True)
    read_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = _("notification")
        verbose_name_plural = _("notifications")
        ordering = ("-created_at", "-id")
        constraints = [models.UniqueConstraint(fields=["member", "key"], name="notification_once_a_key")]
        indexes = [
            models.Index(fields=["member", "-created_at"], name="notification_recent"),
            models.Index(fields=["member"], name="notification_unread", condition=models.Q(read_at=None)),
        ]

    def __str__(self) -> str:
        return self.title
