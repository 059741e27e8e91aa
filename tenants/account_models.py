"""What an account proves itself with, and what happened to it."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.db.fields import UUIDKey


class HandoverToken(models.Model):
    """Carries a sign-in from the public host to a workspace's: good once, for a minute, for one browser."""

    id = UUIDKey(verbose_name=_("id"))
    token_hash = models.CharField(_("hash of the token"), max_length=128, unique=True)
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("user"))
    tenant = models.ForeignKey("tenants.Tenant", models.DB_CASCADE, related_name="+", verbose_name=_("workspace"))
    nonce_hash = models.CharField(_("hash of the nonce"), max_length=128)
    parent_session = models.ForeignKey(
        "tenants.Session", models.DB_CASCADE, related_name="+", verbose_name=_("session")
    )
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("expires"))
    used_at = models.DateTimeField(_("used"), null=True, blank=True)

    class Meta:
        verbose_name = _("hand-over token")
        verbose_name_plural = _("hand-over tokens")

    def __str__(self) -> str:
        return str(self.id)


class Totp(models.Model):
    """A person's authenticator app. It counts from the first code on that fitted."""

    user = models.OneToOneField(
        "tenants.User", models.DB_CASCADE, primary_key=True, related_name="+", verbose_name=_("user")
    )
    secret = models.TextField(_("sealed secret"))
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    last_step = models.BigIntegerField(_("time step of the last code"), default=0)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("authenticator app")
        verbose_name_plural = _("authenticator apps")

    def __str__(self) -> str:
        return str(self.user_id)


class Passkey(models.Model):
    """A key that a person's device or password manager holds for the public host."""

    id = UUIDKey(verbose_name=_("id"))
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="passkeys", verbose_name=_("user"))
    name = models.CharField(_("name"), max_length=80)
    credential_id = models.CharField(_("credential"), max_length=1400, unique=True)
    public_key = models.BinaryField(_("public key"))
    sign_count = models.BigIntegerField(_("signatures"), default=0)
    transports = models.JSONField(_("transports"), default=list, blank=True)
    synced = models.BooleanField(_("kept by a password manager"), default=False)
    last_used_at = models.DateTimeField(_("last used"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("passkey")
        verbose_name_plural = _("passkeys")
        ordering = ("created_at", "id")

    def __str__(self) -> str:
        return self.name


class RecoveryCode(models.Model):
    """One of ten codes on paper, each good once. Only a hash is kept."""

    id = UUIDKey(verbose_name=_("id"))
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("user"))
    code_hash = models.CharField(_("hash of the code"), max_length=64)
    used_at = models.DateTimeField(_("used"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("recovery code")
        verbose_name_plural = _("recovery codes")
        constraints = [models.UniqueConstraint(fields=["user", "code_hash"], name="recovery_code_once")]

    def __str__(self) -> str:
        return str(self.id)


class KnownBrowser(models.Model):
    """A browser in which a person has signed in, by a hash of its cookie; for a while it may stand for the factor."""

    id = UUIDKey(verbose_name=_("id"))
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("user"))
    token_hash = models.CharField(_("hash of the token"), max_length=64)
    device = models.CharField(_("device"), max_length=80, blank=True, default="")
    trusted_until = models.DateTimeField(_("trusted until"), null=True, blank=True)
    last_used_at = models.DateTimeField(_("last used"), db_default=Now())
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("known browser")
        verbose_name_plural = _("known browsers")
        constraints = [models.UniqueConstraint(fields=["token_hash", "user"], name="known_browser_once")]

    def __str__(self) -> str:
        return self.device


class EmailChange(models.Model):
    """A change of a person's address: asked for, confirmed by the new mailbox, and for a week undone by the old."""

    id = UUIDKey(verbose_name=_("id"))
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("user"))
    old_email = models.EmailField(_("old email"), max_length=254)
    new_email = models.EmailField(_("new email"), max_length=254)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)
    confirmed_at = models.DateTimeField(_("confirmed"), null=True, blank=True)
    ended_at = models.DateTimeField(_("replaced or undone"), null=True, blank=True)

    class Meta:
        verbose_name = _("change of email")
        verbose_name_plural = _("changes of email")

    def __str__(self) -> str:
        return f"{self.old_email} → {self.new_email}"


class AccountEvent(models.Model):
    """What happened to a person's account: factors, failed second steps, new devices. Kept for a year."""

    class Kind(models.TextChoices):
        SECOND_FAILED = "second_failed", _("Second step failed")
        NEW_DEVICE = "new_device", _("Signed in on a new device")
        PASSWORD_CHANGED = "password_changed", _("Password changed")
        EMAIL_CHANGED = "email_changed", _("Email changed")
        EMAIL_RESTORED = "email_restored", _("Change of email undone")
        TOTP_ADDED = "totp_added", _("Authenticator app added")
        TOTP_REMOVED = "totp_removed", _("Authenticator app removed")
        PASSKEY_ADDED = "passkey_added", _("Passkey added")
        PASSKEY_REMOVED = "passkey_removed", _("Passkey removed")
        PASSKEY_REFUSED = "passkey_refused", _("Passkey refused: perhaps copied")
        RECOVERY_MADE = "recovery_made", _("New recovery codes")
        RECOVERY_USED = "recovery_used", _("Recovery code used")
        FACTORS_RESET = "factors_reset", _("Second factors removed by the operator")

    id = UUIDKey(verbose_name=_("id"))
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("user"))
    kind = models.CharField(_("kind"), max_length=24, choices=Kind.choices)
    address = models.CharField(_("network address"), max_length=45, blank=True, default="")
    device = models.CharField(_("device"), max_length=80, blank=True, default="")
    detail = models.CharField(_("detail"), max_length=200, blank=True, default="")
    at = models.DateTimeField(_("at"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("account event")
        verbose_name_plural = _("account events")
        indexes = [models.Index(fields=["user", "-at"], name="account_event_recent")]

    def __str__(self) -> str:
        return f"{self.kind} · {self.user_id}"
