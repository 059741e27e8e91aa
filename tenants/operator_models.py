"""What operators do to workspaces that the workspaces see: visits for support, and announcements."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from tenants.db.fields import UUIDKey


class SupportConsent(models.Model):
    """A member's word that operators may come in as that member, until a time or until it is taken back."""

    id = UUIDKey(verbose_name=_("id"))
    tenant = models.ForeignKey("tenants.Tenant", models.DB_CASCADE, related_name="+", verbose_name=_("workspace"))
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("member"))
    until = models.DateTimeField(_("until"))
    withdrawn_at = models.DateTimeField(_("taken back"), null=True, blank=True)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("consent to support")
        verbose_name_plural = _("consents to support")
        indexes = [models.Index(fields=["tenant", "user"], name="support_consent_of_member")]

    def __str__(self) -> str:
        return f"{self.user_id} · {self.until}"


class SupportVisit(models.Model):
    """An operator's stay in a workspace as one of its members, with that member's consent or for a written reason."""

    id = UUIDKey(verbose_name=_("id"))
    tenant = models.ForeignKey("tenants.Tenant", models.DB_CASCADE, related_name="+", verbose_name=_("workspace"))
    operator = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("operator"))
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("as the member"))
    reason = models.CharField(_("reason"), max_length=500, blank=True, default="")
    consent = models.ForeignKey(
        SupportConsent, models.DB_CASCADE, null=True, blank=True, related_name="visits", verbose_name=_("consent")
    )
    created_at = models.DateTimeField(_("began"), db_default=Now(), editable=False)
    expires_at = models.DateTimeField(_("ends by itself"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    ended_by = models.CharField(_("ended by"), max_length=254, blank=True, default="")

    class Meta:
        verbose_name = _("visit for support")
        verbose_name_plural = _("visits for support")
        indexes = [models.Index(fields=["tenant", "-id"], name="support_visit_of_tenant")]

    def __str__(self) -> str:
        return f"{self.operator_id} · {self.tenant_id}"


class Announcement(models.Model):
    """A message of the operator to workspaces. ``texts`` are its words by language, ``language`` is the main one."""

    id = UUIDKey(verbose_name=_("id"))
    texts = models.JSONField(_("words by language"))
    language = models.CharField(_("main language"), max_length=12)
    audience = models.JSONField(_("to whom"), default=dict)
    until = models.DateTimeField(_("shown until"))
    ended_at = models.DateTimeField(_("ended"), null=True, blank=True)
    author = models.CharField(_("by"), max_length=254)
    created_at = models.DateTimeField(_("created"), db_default=Now(), editable=False)

    class Meta:
        verbose_name = _("announcement")
        verbose_name_plural = _("announcements")

    def __str__(self) -> str:
        return str(self.texts.get(self.language, ""))[:80]

    def text_in(self, locale: str) -> str:
        """The words in a language, else in its main one (de for de-at), else in the announcement's own."""
        for one in (locale.lower(), locale.lower().partition("-")[0], self.language):
            if one in self.texts:
                return str(self.texts[one])
        return ""


class AnnouncementRecipient(models.Model):
    """A workspace that an announcement is for."""

    id = UUIDKey(verbose_name=_("id"))
    announcement = models.ForeignKey(
        Announcement, models.DB_CASCADE, related_name="recipients", verbose_name=_("announcement")
    )
    tenant = models.ForeignKey("tenants.Tenant", models.DB_CASCADE, related_name="+", verbose_name=_("workspace"))

    class Meta:
        verbose_name = _("recipient of an announcement")
        verbose_name_plural = _("recipients of announcements")
        constraints = [models.UniqueConstraint(fields=["tenant", "announcement"], name="announcement_recipient_once")]

    def __str__(self) -> str:
        return f"{self.announcement_id} · {self.tenant_id}"


class AnnouncementDismissal(models.Model):
    """A person who does not want to see an announcement any more."""

    id = UUIDKey(verbose_name=_("id"))
    announcement = models.ForeignKey(Announcement, models.DB_CASCADE, related_name="+", verbose_name=_("announcement"))
    user = models.ForeignKey("tenants.User", models.DB_CASCADE, related_name="+", verbose_name=_("user"))

    class Meta:
        verbose_name = _("dismissed announcement")
        verbose_name_plural = _("dismissed announcements")
        constraints = [models.UniqueConstraint(fields=["user", "announcement"], name="announcement_dismissed_once")]

    def __str__(self) -> str:
        return f"{self.announcement_id} · {self.user_id}"
