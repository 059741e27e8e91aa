"""Companies and contacts: who we deal with, and what they are to us."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models

from crm.records.models import Record
from tenants.db.fields import UUIDKey
from tenants.db.stamped import StampedModel


class Company(Record):
    name = models.CharField(max_length=200)
    kind = models.CharField(max_length=20, blank=True, default="")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="children")
    domain = models.CharField(max_length=253, blank=True, default="")
    industry = models.CharField(max_length=100, blank=True, default="")
    size = models.CharField(max_length=20, blank=True, default="")
    phones = models.JSONField(default=list, blank=True)
    phones_keys = ArrayField(models.TextField(), default=list, blank=True)
    address = models.JSONField(default=dict, blank=True)
    owner = models.ForeignKey(
        "workspace.Member", null=True, blank=True, on_delete=models.PROTECT, related_name="companies"
    )
    description = models.TextField(blank=True, default="")

    class Meta(Record.Meta):
        indexes = [
            *Record.Meta.indexes,
            GinIndex(fields=["phones_keys"], name="company_phones"),
            models.Index(fields=["domain"], name="company_domain"),
        ]

    def __str__(self) -> str:
        return self.name


class Contact(Record):
    name = models.CharField(max_length=240)
    first_name = models.CharField(max_length=120, blank=True, default="")
    last_name = models.CharField(max_length=120, blank=True, default="")
    emails = models.JSONField(default=list, blank=True)
    emails_keys = ArrayField(models.TextField(), default=list, blank=True)
    phones = models.JSONField(default=list, blank=True)
    phones_keys = ArrayField(models.TextField(), default=list, blank=True)
    job = models.CharField(max_length=120, blank=True, default="")
    company = models.ForeignKey(Company, null=True, blank=True, on_delete=models.SET_NULL, related_name="main_contacts")
    owner = models.ForeignKey(
        "workspace.Member", null=True, blank=True, on_delete=models.PROTECT, related_name="contacts"
    )
    status = models.CharField(max_length=20, blank=True, default="")
    language = models.CharField(max_length=20, blank=True, default="")
    source = models.CharField(max_length=30, blank=True, default="")
    birthday = models.DateField(null=True, blank=True)

    class Meta(Record.Meta):
        indexes = [
            *Record.Meta.indexes,
            GinIndex(fields=["emails_keys"], name="contact_emails"),
            GinIndex(fields=["phones_keys"], name="contact_phones"),
            models.Index(
                fields=["id"], name="contact_counted", condition=models.Q(deleted_at__isnull=True, is_sample=False)
            ),
        ]

    def __str__(self) -> str:
        return self.name


class ContactCompany(StampedModel):
    """What a contact is to a company, beside the main one."""

    id = UUIDKey()
    contact = models.ForeignKey(Contact, on_delete=models.CASCADE, related_name="company_links")
    company = models.ForeignKey(Company, on_delete=models.CASCADE, related_name="contact_links")
    role = models.CharField(max_length=80, blank=True, default="")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["contact", "company"], name="contact_company_once")]

    def __str__(self) -> str:
        return self.role
