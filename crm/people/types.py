"""What companies and contacts are made of."""

from django.utils.translation import gettext_lazy as _

from crm.people import choices, rules
from crm.records.fields.normalising import web_domain
from crm.records.schema.field import Field
from crm.records.schema.kinds import Kind
from crm.records.schema.policies import ByOwner
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import register
from crm.records.write.rules import rules_register
from tenants.actors import Actor


def acting_member(actor: Actor) -> object:
    return actor.member_id


COMPANY = RecordType(
    slug="company",
    plural="companies",
    label=_("Company"),
    label_plural=_("Companies"),
    icon="building-2",
    model="people.Company",
    subtitle="domain",
    fields=(
        Field(
            slug="name", label=_("Name"), kind=Kind.TEXT, required=True, sortable=True, searchable=True, max_length=200
        ),
        Field(
            slug="kind",
            label=_("Kind"),
            kind=Kind.CHOICE,
            choices=choices.COMPANY_KINDS,
            default="prospect",
            sortable=True,
        ),
        Field(slug="owner", label=_("Owner"), kind=Kind.MEMBER, target="member", default=acting_member),
        Field(
            slug="domain",
            label=_("Domain"),
            kind=Kind.TEXT,
            max_length=253,
            sortable=True,
            searchable=True,
            tidy=web_domain,
        ),
        Field(slug="industry", label=_("Industry"), kind=Kind.TEXT, max_length=100, sortable=True),
        Field(slug="size", label=_("Size"), kind=Kind.CHOICE, choices=choices.COMPANY_SIZES, sortable=True),
        Field(slug="phones", label=_("Phones"), kind=Kind.PHONES, searchable=True),
        Field(slug="address", label=_("Address"), kind=Kind.ADDRESS, searchable=True),
        Field(slug="parent", label=_("Parent company"), kind=Kind.RELATION, target="company"),
        Field(slug="description", label=_("Description"), kind=Kind.LONG_TEXT, max_length=10_000),
    ),
    default_columns=("name", "kind", "industry", "size", "owner", "created_at"),
    owner_field="owner",
    visible=ByOwner("owner"),
    shortcut="c",
)

CONTACT = RecordType(
    slug="contact",
    plural="contacts",
    label=_("Contact"),
    label_plural=_("Contacts"),
    icon="user-round",
    model="people.Contact",
    subtitle="job",
    fields=(
        Field(
            slug="name", label=_("Name"), kind=Kind.TEXT, required=True, sortable=True, searchable=True, max_length=240
        ),
        Field(slug="first_name", label=_("First name"), kind=Kind.TEXT, max_length=120),
        Field(slug="last_name", label=_("Last name"), kind=Kind.TEXT, max_length=120, sortable=True),
        Field(slug="emails", label=_("Emails"), kind=Kind.EMAILS, searchable=True),
        Field(slug="phones", label=_("Phones"), kind=Kind.PHONES, searchable=True),
        Field(slug="job", label=_("Job"), kind=Kind.TEXT, max_length=120, sortable=True),
        Field(slug="company", label=_("Company"), kind=Kind.RELATION, target="company"),
        Field(
            slug="companies",
            label=_("Other companies"),
            kind=Kind.LINKS,
            target="company",
            through="people.ContactCompany",
        ),
        Field(slug="owner", label=_("Owner"), kind=Kind.MEMBER, target="member", default=acting_member),
        Field(
            slug="status",
            label=_("Status"),
            kind=Kind.CHOICE,
            choices=choices.CONTACT_STATUSES,
            default="new",
            sortable=True,
        ),
        Field(slug="language", label=_("Language"), kind=Kind.CHOICE, choices=choices.LANGUAGES),
        Field(slug="source", label=_("Source"), kind=Kind.CHOICE, choices=choices.SOURCES),
        Field(slug="birthday", label=_("Birthday"), kind=Kind.DATE),
    ),
    default_columns=("name", "job", "company", "emails", "phones", "status", "owner"),
    owner_field="owner",
    visible=ByOwner("owner"),
    limit="contacts",
    shortcut="o",
)

register(COMPANY, CONTACT)
rules_register(COMPANY, rules.parents_form_no_circle)
rules_register(CONTACT, rules.name_follows_its_parts, rules.birthday_has_been, rules.contacts_have_room)
