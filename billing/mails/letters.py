"""Mails about money: the words of each kind stand in templates/billing/mail, their first line is the subject."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.template.loader import render_to_string
from django.utils import timezone, translation
from django.utils.translation import gettext as _

from billing.access import KEPT, READ_ONLY, State
from billing.mails.outbox import mail_keep
from billing.models import LIVE, BillingAccount, BillingNotice
from tenants.accounts.services import verified_among
from tenants.actors import TenantRef
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Tenant
from tenants.names import name_mailed
from tenants.selectors import BUILT
from tenants.work.mail import Recipient, mail_written, power_holders
from tenants.workspaces.hosts import public_url, tenant_url
from tenants.workspaces.locales import zone

SAME_WORDS = {"trial_ending_3": "trial_ending", "trial_ending_1": "trial_ending"}
DAYS = {"trial_ending_3": 3, "trial_ending_1": 1}


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail about money that is written and not sent."""

    to: str
    locale: str
    context: Mapping[str, Any]

    def keep(self, account: BillingAccount) -> None:
        """Keep it in the transaction that notes what it tells; it is sent after that."""
        mail_keep(account, mail_written("billing/mail/notice", to=self.to, locale=self.locale, context=self.context))


def notice_letters(account: BillingAccount, kind: str, context: Mapping[str, Any]) -> list[Letter]:
    """The mails of one notice, one a reader."""
    with shared():
        tenant = Tenant.objects.get(id=account.tenant_id)
        facts = {**facts_of(account, tenant), **context, "days": DAYS.get(kind)}
        readers = recipients(account, tenant)
    words = SAME_WORDS.get(kind, kind)
    return [Letter(reader.email, reader.locale, written(reader, words, facts)) for reader in readers]


def facts_of(account: BillingAccount, tenant: Tenant) -> dict[str, Any]:
    """What the words of all kinds may name, as it is now."""
    subscription = account.subscriptions.select_related("price__plan").filter(status__in=LIVE).first()
    last = subscription or account.subscriptions.order_by("-started_at", "-id").first()
    price = subscription.price if subscription is not None else None
    seats = subscription.quantity if subscription is not None else None
    is_open = tenant.state in BUILT
    return {
        "account": account,
        "workspace": name_mailed(tenant.name),
        "plan_name": tenant.plan_name,
        "price": price,
        "seats": seats,
        "total": price.amount * seats if price is not None and seats is not None else None,
        "next_payment": subscription.period_end if subscription and not subscription.cancel_at else None,
        "is_owed": subscription is not None and account.access_state == State.READ_ONLY,
        "is_given_up": last is not None and last.status not in LIVE and last.grace_until is not None,
        "has_invoices": account.invoices.exclude(status="draft").exists(),
        "until": account.access_until,
        "deleted_on": account.access_lost_at + KEPT if account.access_lost_at else None,
        "read_only_days": READ_ONLY.days,
        "kept_days": KEPT.days,
        "invoice": account.invoices.filter(status="open").first(),
        "link": tenant_url(tenant, "/settings/billing/") if is_open else public_url("/"),
        "is_open": is_open,
    }


def recipients(account: BillingAccount, tenant: Tenant) -> list[Recipient]:
    """The billing contact and the members with the power ``billing`` who have proven their address, each once.

    Of a workspace that is not there to be read any more: those who were told last.
    """
    ref = tenant.ref()
    if tenant.state in BUILT and not ref.is_behind:
        found = holders(ref)
        proven = verified_among([one.user_id for one in found if one.user_id])
        found = [one for one in found if one.user_id in proven]
    else:
        found = [Recipient(email, ref.locale, zone(ref.time_zone)) for email in told_last(account)]
    if account.email:
        found.append(Recipient(account.email, ref.locale, zone(ref.time_zone)))
    return list({one.email.lower(): one for one in reversed(found)}.values())[::-1]


def holders(ref: TenantRef) -> list[Recipient]:
    with tenant_scope(ref):
        return power_holders(ref, "billing")


def told_last(account: BillingAccount) -> list[str]:
    last = BillingNotice.objects.filter(account=account).exclude(sent_to=[]).order_by("-at", "-id").first()
    return last.sent_to if last is not None else []


def written(reader: Recipient, words: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    """The words of a notice in the reader's language, with dates of their zone."""
    language = reader.locale if reader.locale in dict(settings.LANGUAGES) else settings.LANGUAGE_CODE
    with translation.override(language), timezone.override(reader.time_zone):
        text = render_to_string(f"billing/mail/{words}.txt", dict(facts))
        subject, *paragraphs = [one.strip() for one in text.split("\n") if one.strip()]
        invoice = facts["invoice"]
        pdf = invoice.pdf_url if words == "receipt" and invoice is not None else ""
        return {
            "subject": subject,
            "paragraphs": paragraphs,
            "workspace": facts["workspace"],
            "link": facts["link"],
            "label": _("Open Billing") if facts["is_open"] else _("Start again"),
            "second_link": pdf,
            "second_label": _("The invoice as a PDF"),
        }
