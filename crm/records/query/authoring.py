"""What somebody writes into a rule, a setting or a view must be readable to them.

A rule is judged for everybody alike, whoever wrote it. If it could name what its writer may not read, its outcome would
be the answer to a question about that. So stages and pipelines, and whatever else keeps conditions or names fields for
others, ask here of what a write adds. What stands there already stays, and stays hidden.
"""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _

from crm.records.access.targets import MEMBER_TYPE, target_type
from crm.records.access.visibility import hidden_slugs
from crm.records.errors import BadQuery
from crm.records.query import language
from crm.records.schema.record_type import RecordType
from tenants.actors import Actor

type Tree = Mapping[str, Any]


def parts_of(tree: Tree) -> list[Tree]:
    """The conditions that must all hold, each with a message of its own."""
    return list(tree["all"]) if "all" in tree else [tree] if tree else []


def whole_of(parts: Sequence[Tree]) -> Tree:
    """The condition that has these parts."""
    return {"all": list(parts)} if len(parts) > 1 else parts[0] if parts else {}


def added[T](before: Sequence[T] | None, after: Sequence[T]) -> list[T]:
    """What a new list holds that the one before did not."""
    return [one for one in after if one not in (before or ())]


def unreadable(actor: Actor, record_type: RecordType, slugs: Collection[str]) -> list[str]:
    """Of field slugs that a write adds, those that the writer's role hides."""
    hidden = hidden_slugs(actor, record_type)
    return [slug for slug in slugs if slug in hidden]


def condition_problem(actor: Actor, record_type: RecordType, parts: Sequence[Tree]) -> str:
    """Why the writer may not add these conditions on records of the type, or an empty text.

    A field that is hidden is answered as one that there is not. Of related records all must be in sight, since the rule
    will look at those of every record that comes.
    """
    for part in parts:
        try:
            parsed = language.parse(actor, record_type, part)
        except BadQuery as error:
            return str(error.message)
        for condition in language.conditions_of(parsed):
            target = target_type(condition.hop.target) if condition.hop else record_type
            if condition.hop and target is not MEMBER_TYPE and not target.shows_all_to(actor):
                return _("Your role does not show all %(noun)s, so that no rule of yours can look at them.") % {
                    "noun": str(target.label_plural).lower()
                }
    return ""


def merge_hidden(given: Sequence[str], shown: Sequence[str], stored: Sequence[str]) -> list[str]:
    """A list as it is to be kept, given by who was ``shown`` only a part of the one ``stored``."""
    if list(given) == list(shown):
        return list(stored)
    return [*given, *(one for one in stored if one not in shown and one not in given)]
