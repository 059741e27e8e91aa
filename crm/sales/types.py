"""What pipelines, stages, deals and lost reasons are made of."""

from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from crm.people.choices import SOURCES
from crm.records.schema.field import Choice, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.policies import ByOwner, Everyone
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import register
from crm.records.write.evaluate import partial_condition, partial_slugs
from crm.records.write.rules import rules_register
from crm.sales import selectors
from crm.sales.rules import deals, pipelines, stages
from crm.workspace.colors import COLORS
from tenants.actors import Actor

COLOR_LABELS = {
    "gray": _("Gray"),
    "red": _("Red"),
    "orange": _("Orange"),
    "amber": _("Amber"),
    "yellow": _("Yellow"),
    "lime": _("Lime"),
    "green": _("Green"),
    "teal": _("Teal"),
    "cyan": _("Cyan"),
    "blue": _("Blue"),
    "violet": _("Violet"),
    "pink": _("Pink"),
}
COLOR_CHOICES = tuple(Choice(value=token, label=COLOR_LABELS[token], color=token) for token in COLORS)
STAGE_KINDS = (
    Choice(value="open", label=_("Open"), color="blue"),
    Choice(value="won", label=_("Won"), color="green"),
    Choice(value="lost", label=_("Lost"), color="red"),
)


def acting_member(actor: Actor) -> object:
    return actor.member_id


PIPELINE = RecordType(
    slug="pipeline",
    plural="pipelines",
    label=_("Pipeline"),
    label_plural=_("Pipelines"),
    icon="git-commit-horizontal",
    model="sales.Pipeline",
    fields=(
        Field(
            slug="name", label=_("Name"), kind=Kind.TEXT, required=True, sortable=True, searchable=True, max_length=100
        ),
        Field(slug="is_default", label=_("Default"), kind=Kind.BOOLEAN, default=False),
        Field(
            slug="archived",
            label=_("Archived"),
            kind=Kind.BOOLEAN,
            default=False,
            help_text=_("No deal begins or goes on in it; won and lost ones stay to be looked at."),
        ),
        Field(slug="position", label=_("Order"), kind=Kind.INTEGER, sortable=True, minimum=0, maximum=100_000),
        Field(
            slug="lost_reason_required",
            label=_("A lost deal needs a reason"),
            kind=Kind.BOOLEAN,
            default=True,
        ),
        Field(
            slug="lost_reasons",
            label=_("Reasons that can be given"),
            kind=Kind.LINKS,
            target="lost_reason",
            through="sales.PipelineLostReason",
            help_text=_("Without any, all of the workspace's."),
        ),
        Field(
            slug="deal_fields",
            label=_("Fields of its deals"),
            kind=Kind.JSON_LIST,
            filterable=False,
            help_text=_("Slugs of the fields that deals are shown with. Without any, all."),
            partial_value=partial_slugs("deal"),
        ),
    ),
    default_columns=("name", "is_default", "archived"),
    default_sort=("position",),
    lock_order=-1,
    serialize_writes=True,
    visible=Everyone(),
    limit="pipelines",
    in_sidebar=False,
)

STAGE = RecordType(
    slug="stage",
    plural="stages",
    label=_("Stage"),
    label_plural=_("Stages"),
    icon="columns-3",
    model="sales.Stage",
    fields=(
        Field(
            slug="name", label=_("Name"), kind=Kind.TEXT, required=True, sortable=True, searchable=True, max_length=100
        ),
        Field(slug="pipeline", label=_("Pipeline"), kind=Kind.RELATION, target="pipeline", required=True),
        Field(slug="position", label=_("Order"), kind=Kind.INTEGER, sortable=True, minimum=0, maximum=100_000),
        Field(
            slug="probability",
            label=_("Probability"),
            kind=Kind.PERCENT,
            help_text=_("What a deal that comes into this stage is given. Won is always 100, lost always 0."),
        ),
        Field(slug="color", label=_("Colour"), kind=Kind.CHOICE, choices=COLOR_CHOICES, default="gray"),
        Field(slug="kind", label=_("Kind"), kind=Kind.CHOICE, choices=STAGE_KINDS, required=True, default="open"),
        Field(
            slug="required_fields",
            label=_("Fields it demands"),
            kind=Kind.JSON_LIST,
            filterable=False,
            partial_value=partial_slugs("deal"),
        ),
        Field(
            slug="stale_days",
            label=_("Days until stale"),
            kind=Kind.INTEGER,
            minimum=1,
            maximum=3650,
            help_text=_("A deal that stays longer in this stage is marked."),
        ),
        Field(
            slug="guidance",
            label=_("Guidance"),
            kind=Kind.LONG_TEXT,
            max_length=2000,
            help_text=_("What to do in this stage; shown on the board and on its deals."),
        ),
        Field(
            slug="entry_condition",
            label=_("Takes only deals where"),
            kind=Kind.CONDITION,
            help_text=_("A condition on deals in the query language. Judged when a deal comes into the stage."),
            partial_value=partial_condition("deal"),
        ),
        Field(
            slug="enter_from",
            label=_("Takes deals only from"),
            kind=Kind.JSON_LIST,
            filterable=False,
            help_text=_("Ids of stages, and “new” for deals that begin here. Without any, from everywhere."),
        ),
    ),
    default_columns=("name", "pipeline", "kind", "probability"),
    default_sort=("position",),
    lock_order=-2,
    visible=Everyone(),
    in_sidebar=False,
)

LOST_REASON = RecordType(
    slug="lost_reason",
    plural="lost-reasons",
    label=_("Lost reason"),
    label_plural=_("Lost reasons"),
    icon="circle-x",
    model="sales.LostReason",
    fields=(
        Field(
            slug="name", label=_("Name"), kind=Kind.TEXT, required=True, sortable=True, searchable=True, max_length=100
        ),
        Field(slug="position", label=_("Order"), kind=Kind.INTEGER, sortable=True, minimum=0, maximum=100_000),
    ),
    default_columns=("name",),
    default_sort=("position",),
    visible=Everyone(),
    in_sidebar=False,
)

DEAL = RecordType(
    slug="deal",
    plural="deals",
    label=_("Deal"),
    label_plural=_("Deals"),
    icon="handshake",
    model="sales.Deal",
    subtitle="company",
    fields=(
        Field(
            slug="name", label=_("Name"), kind=Kind.TEXT, required=True, sortable=True, searchable=True, max_length=200
        ),
        Field(slug="company", label=_("Company"), kind=Kind.RELATION, target="company"),
        Field(slug="amount", label=_("Amount"), kind=Kind.MONEY, currency="currency", sortable=True, minimum=0),
        Field(slug="currency", label=_("Currency"), kind=Kind.CURRENCY),
        Field(
            slug="pipeline",
            label=_("Pipeline"),
            kind=Kind.RELATION,
            target="pipeline",
            options=selectors.pipeline_options,
        ),
        Field(slug="stage", label=_("Stage"), kind=Kind.RELATION, target="stage", options=selectors.stage_options),
        Field(slug="owner", label=_("Owner"), kind=Kind.MEMBER, target="member", default=acting_member),
        Field(slug="probability", label=_("Probability"), kind=Kind.PERCENT, sortable=True),
        Field(slug="expected_close", label=_("Expected close"), kind=Kind.DATE, sortable=True),
        Field(slug="closed_on", label=_("Closed on"), kind=Kind.DATE, sortable=True),
        Field(
            slug="lost_reason",
            label=_("Lost reason"),
            kind=Kind.RELATION,
            target="lost_reason",
            options=selectors.lost_reason_options,
        ),
        Field(slug="contacts", label=_("Contacts"), kind=Kind.LINKS, target="contact", through="sales.DealContact"),
        Field(slug="source", label=_("Source"), kind=Kind.CHOICE, choices=SOURCES),
        Field(
            slug="stage_entered_at", label=_("In this stage since"), kind=Kind.DATETIME, editable=False, sortable=True
        ),
    ),
    default_columns=("name", "company", "amount", "stage", "owner", "expected_close"),
    board_field="stage",
    quick_filters={
        "mine": "owner",
        "team": "owner",
        "closing": "expected_close",
        "stale": "stage_entered_at",
        "idle": "",
    },
    card_fields=("company", "amount", "owner"),
    owner_field="owner",
    still_open=Q(stage__kind="open"),
    event_types=("deal.stage_changed",),
    visible=ByOwner("owner"),
    fields_of=selectors.deal_fields_of,
    shortcut="d",
)

register(PIPELINE, STAGE, LOST_REASON, DEAL)
rules_register(
    PIPELINE,
    pipelines.pipeline_has_its_place,
    pipelines.pipeline_is_sound,
    pipelines.forbid_open_deals_when_archived,
    pipelines.pipeline_in_use_stays,
    pipelines.pipelines_have_room,
    after=(pipelines.one_pipeline_is_the_default,),
)
rules_register(STAGE, stages.validate_stage, stages.require_open_won_lost, stages.stage_in_use_stays)
rules_register(LOST_REASON, pipelines.lost_reason_has_its_place)
rules_register(DEAL, deals.assign_stage, deals.deal_money_has_a_currency, after=(deals.stage_change_is_told,))
