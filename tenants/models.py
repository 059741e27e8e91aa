"""The shared schema: who there is, and where."""

from datetime import datetime
from typing import Any, ClassVar, Never

from django.contrib.auth.base_user import AbstractBaseUser, BaseUserManager
from django.contrib.sessions.base_session import AbstractBaseSession
from django.db import DEFAULT_DB_ALIAS, models
from django.db.models.functions import Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django_tenants.models import DomainMixin, TenantMixin

from tenants.account_models import AccountEvent, EmailChange, HandoverToken, KnownBrowser, Passkey, RecoveryCode, Totp
from tenants.actors import TenantRef
from tenants.db.database_roles import schema_name_new
from tenants.db.fields import CurrentUser, UUIDKey
from tenants.db.release import template_digest
from tenants.lookalikes import skeleton
from tenants.operator_models import (
    Announcement,
    AnnouncementDismissal,
    AnnouncementRecipient,
    SupportConsent,
    SupportVisit,
)

__all__ = [
    "AccountEvent",
    "Announcement",
    "AnnouncementDismissal",
    "AnnouncementRecipient",
    "ApiKey",
    "Domain",
    "EmailChange",
    "HandoverToken",
    "KnownBrowser",
    "Membership",
    "Passkey",
    "RecoveryCode",
    "Session",
    "SupportConsent",
    "SupportVisit",
    "TemplateRecording",
    "Tenant",
    "TenantStep",
    "Totp",
    "User",
    "UserManager",
    "Wakeup",
    "is_behind",
]


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> "User":
        user = self.model(email=self.normalize_email(email), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(self, email: str, password: str | None = None, **fields: Any) -> "User":
        return self.create_user(email, password, is_staff=True, **fields)


class User(AbstractBaseUser):
    """A person who signs in. The same address may stand at several until one of them has proven it."""

    id = UUIDKey(verbose_name=_("id"))
    email = models.EmailField(_("email"), max_length=254, db_index=True)
    name = models.CharField(_("name"), max_length=120, blank=True, default="")
    locale = models.CharField(_("language"), max_length=12, blank=True, default="")
    theme = models.CharField(_("theme"), max_length=10, blank=True, default="")
    is_active = models.BooleanField(_("active"), default=True)
    is_staff = models.BooleanField(_("operator"), default=False)
    has_second_factor = models.BooleanField(_("has a second factor"), default=False, db_default=False, editable=False)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = []

    class Meta:
        verbose_name = _("user")
        verbose_name_plural = _("users")

    def __str__(self) -> str:
        return self.email

    def get_full_name(self) -> str:
        return self.name or self.email

    def get_short_name(self) -> str:
        return self.get_full_name()


class Tenant(TenantMixin):  # type: ignore[misc]
    """A workspace: one business, in a schema of its own."""

    class State(models.TextChoices):
        RESERVED = "reserved", _("reserved")
        PROVISIONING = "provisioning", _("being set up")
        ACTIVE = "active", _("active")
        READ_ONLY = "read_only", _("read only")
        SUSPENDED = "suspended", _("suspended")
        DELETING = "deleting", _("being deleted")
        DELETED = "deleted", _("deleted")

    auto_create_schema = False
    auto_drop_schema = False

    id = UUIDKey(verbose_name=_("id"))
    schema_name = models.CharField(_("schema"), max_length=63, unique=True, default=schema_name_new, editable=False)
    name = models.CharField(_("name"), max_length=120)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.RESERVED)
    limits = models.JSONField(_("limits"), default=dict, blank=True)
    features = models.JSONField(_("features"), null=True, blank=True)
    plan_name = models.CharField(_("plan"), max_length=60, default="", db_default="", blank=True)
    access_state = models.CharField(
        _("state of the subscription"), max_length=20, default="", db_default="", blank=True
    )
    access_until = models.DateTimeField(_("changes by itself at"), null=True, blank=True)
    access_note = models.CharField(
        _("reason that the workspace sees"), max_length=500, default="", db_default="", blank=True
    )
    locale = models.CharField(_("language"), max_length=12, default="en")
    currency = models.CharField(_("currency"), max_length=3, default="EUR")
    time_zone = models.CharField(_("time zone"), max_length=64, default="UTC")
    metadata_version = models.PositiveIntegerField(_("metadata version"), default=0)
    schema_version = models.CharField(
        _("release of the schema"), max_length=64, default="", db_default="", blank=True, editable=False
    )
    has_sample = models.BooleanField(_("has sample data"), default=False)
    requires_second_factor = models.BooleanField(_("requires a second factor"), default=False, db_default=False)
    second_factor_from = models.DateTimeField(_("nobody enters without from"), null=True, blank=True)
    support_until = models.DateTimeField(_("an operator is in it until"), null=True, blank=True)
    support_by = models.CharField(_("the operator in it"), max_length=254, default="", db_default="", blank=True)
    announced_until = models.DateTimeField(_("has announcements until"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("workspace")
        verbose_name_plural = _("workspaces")

    def __str__(self) -> str:
        return self.name

    def __enter__(self) -> Never:
        raise RuntimeError("`with tenant:` keeps its stack in the class, for all threads: use tenant_scope(tenant).")

    def create_schema(self, *args: Any, **kwargs: Any) -> Never:
        raise RuntimeError("A schema is made from the template: use tenants.workspaces.provisioning.")

    def delete(self, *args: Any, **kwargs: Any) -> Any:
        """Delete the row alone; tenants.workspaces.provisioning.tenant_drop takes the schema and the role away."""
        return models.Model.delete(self, *args, **kwargs)

    def save(self, *args: Any, **kwargs: Any) -> None:
        models.Model.save(self, *args, **kwargs)

    def ref(self, domain: "Domain | None" = None) -> TenantRef:
        """The tenant without its row. ``domain``, its primary one, saves the query for it."""
        if domain is None:
            domain = self.domains.filter(is_primary=True).first()
        return TenantRef(
            id=self.id,
            schema_name=self.schema_name,
            name=self.name,
            subdomain=domain.subdomain if domain else "",
            state=self.state,
            locale=self.locale,
            currency=self.currency,
            time_zone=self.time_zone,
            limits=dict(self.limits),
            features=None if self.features is None else frozenset(self.features),
            plan_name=self.plan_name,
            access_state=self.access_state,
            access_until=self.access_until,
            access_note=self.access_note,
            metadata_version=self.metadata_version,
            has_sample=self.has_sample,
            support_by=self.support_by if _is_ahead(self.support_until) else "",
            support_until=self.support_until,
            has_announcements=_is_ahead(self.announced_until),
            is_behind=is_behind(self.schema_version),
        )


def _is_ahead(moment: datetime | None) -> bool:
    return moment is not None and moment > timezone.now()


class Domain(DomainMixin):  # type: ignore[misc]
    """A host, without port, that leads to a tenant. One that was given up redirects until ``redirect_until``."""

    id = UUIDKey(verbose_name=_("id"))
    redirect_until = models.DateTimeField(_("redirects until"), null=True, blank=True)
    skeleton = models.CharField(
        _("shape that names like it share"), max_length=63, default="", db_default="", editable=False, db_index=True
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("domain")
        verbose_name_plural = _("domains")
        constraints = [
            models.UniqueConstraint(fields=["tenant"], condition=models.Q(is_primary=True), name="domain_one_primary")
        ]

    def __str__(self) -> str:
        return str(self.domain)

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.skeleton = skeleton(self.subdomain)
        super().save(*args, **kwargs)

    @property
    def subdomain(self) -> str:
        return str(self.domain).partition(".")[0]


class Membership(models.Model):
    """The index of who is where; the tenant's own Member says what they may do there."""

    class State(models.TextChoices):
        ACTIVE = "active", _("active")
        DEACTIVATED = "deactivated", _("deactivated")

    id = UUIDKey(verbose_name=_("id"))
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships", verbose_name=_("user"))
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="memberships", verbose_name=_("workspace"))
    member_id = models.UUIDField(_("member"), null=True, blank=True)
    state = models.CharField(_("state"), max_length=20, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("membership")
        verbose_name_plural = _("memberships")
        constraints = [models.UniqueConstraint(fields=["user", "tenant"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.tenant_id}"

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE


class ApiKey(models.Model):
    """A program's key to one workspace. Only a hash of its secret is kept."""

    class Prefix(models.TextChoices):
        LIVE = "live", _("live")
        TEST = "test", _("test")

    id = UUIDKey(verbose_name=_("id"))
    public_id = models.CharField(_("public part"), max_length=40, unique=True)
    secret_hash = models.CharField(_("hash of the secret"), max_length=128)
    prefix = models.CharField(_("prefix"), max_length=8, choices=Prefix.choices, default=Prefix.LIVE)
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="api_keys", verbose_name=_("workspace"))
    member_id = models.UUIDField(_("made by"))
    name = models.CharField(_("name"), max_length=120)
    scopes = models.JSONField(_("scopes"), default=list, blank=True)
    origins = models.JSONField(_("origins"), default=list, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    revoked_at = models.DateTimeField(_("revoked"), null=True, blank=True)

    class Meta:
        verbose_name = _("API key")
        verbose_name_plural = _("API keys")

    def __str__(self) -> str:
        return self.name


class Session(AbstractBaseSession):
    """A signed-in browser on one host. One on a workspace's host ends with its parent, the one on the public host."""

    parent = models.ForeignKey(
        "self", models.DB_CASCADE, null=True, blank=True, related_name="children", verbose_name=_("parent")
    )
    user_id = models.UUIDField(_("user"), null=True, blank=True, db_index=True)
    tenant_id = models.UUIDField(_("workspace"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    last_seen_at = models.DateTimeField(_("last seen"), db_default=Now())

    class Meta(AbstractBaseSession.Meta):
        indexes = [
            models.Index(fields=["tenant_id"], condition=models.Q(tenant_id__isnull=False), name="session_of_workspace")
        ]

    @classmethod
    def get_session_store_class(cls) -> type[Any]:
        from tenants.sessions import SessionStore

        return SessionStore


class Wakeup(models.Model):
    """Where there is work of which sort (``wakeups.works``) and from when on.

    A tenant's role can only add ``due_at`` and ``work``; Postgres notes whose it is.
    """

    id = UUIDKey(verbose_name=_("id"))
    role = models.TextField(_("role"), db_default=CurrentUser())
    work = models.CharField(_("work"), max_length=20, db_default="events")
    due_at = models.DateTimeField(_("due"), db_index=True)
    claimed_at = models.DateTimeField(_("claimed"), null=True, blank=True)

    class Meta:
        verbose_name = _("wake-up")
        verbose_name_plural = _("wake-ups")
        indexes = [models.Index(fields=["role", "work"], name="wakeup_work")]

    def __str__(self) -> str:
        return f"{self.role} · {self.work} · {self.due_at}"


class TemplateRecording(models.Model):
    """The SQL of all tenant migrations of one release, as it was run once."""

    digest = models.CharField(_("digest of the migrations"), max_length=64, primary_key=True)
    sql = models.TextField(_("SQL"))
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("template")
        verbose_name_plural = _("templates")

    def __str__(self) -> str:
        return self.digest


def is_behind(schema_version: str, using: str = DEFAULT_DB_ALIAS) -> bool:
    """Whether a schema of this version is older than this process's release, by when their templates were recorded.

    One that a later release has upgraded is not: old and new processes work side by side. Reads the shared schema
    where the two differ.
    """
    ours = template_digest()
    if schema_version == ours:
        return False
    recorded = dict(
        TemplateRecording.objects.using(using)
        .filter(digest__in=[ours, schema_version])
        .values_list("digest", "created_at")
    )
    return len(recorded) < 2 or recorded[schema_version] < recorded[ours]


class TenantStep(models.Model):
    """What happened in a tenant's life: a step that was done, a change of its state, or a setup that failed."""

    class Kind(models.TextChoices):
        STEP = "step", _("step")
        STATE = "state", _("state")
        FAILED = "failed", _("failed")

    id = UUIDKey(verbose_name=_("id"))
    tenant = models.ForeignKey(Tenant, models.CASCADE, related_name="steps", verbose_name=_("workspace"))
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    name = models.CharField(_("name"), max_length=200)
    detail = models.CharField(_("detail"), max_length=500, blank=True, default="")
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("step")
        verbose_name_plural = _("steps")
        constraints = [
            models.UniqueConstraint(fields=["tenant", "name"], condition=models.Q(kind="step"), name="step_once")
        ]

    def __str__(self) -> str:
        return self.name
