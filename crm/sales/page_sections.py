"""What sales puts on a deal's page: the bar of its stages, and what comes next."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.urls import reverse

from crm.activities.selectors import planned
from crm.activities.visibility import NOUNS
from crm.records.display.presenting import may_edit
from crm.records.lists.record_page import Part
from crm.records.schema.record_type import RecordType
from crm.sales.rules.common import LOST, OPEN, WON
from crm.sales.selectors import StageRef, StageTime, stage_times, stages
from tenants.actors import Actor

DAY = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Step:
    """One stage on the bar; ``state`` is done, now, won, lost or blank for what is still ahead.

    ``days`` is how long the deal has stood there in all, None where it never did.
    """

    id: UUID
    name: str
    state: str
    current: bool
    kind: str
    days: int | None


def stage_bar(actor: Actor, record_type: RecordType, row: Mapping[str, Any]) -> Part | None:
    """The stages of a deal's pipeline to click on, with what is planned next; for other nouns that alone."""
    following = planned(actor, record_type.slug, row["id"], limit=1) if record_type.slug not in NOUNS else []
    context: dict[str, Any] = {"next": following[0] if following else None, "steps": [], "record_type": record_type}
    if (
        record_type.slug == "deal"
        and isinstance(row.get("stage"), Mapping)
        and isinstance(row.get("pipeline"), Mapping)
    ):
        found = stages(actor, row["pipeline"]["id"])
        here = next((one for one in found if one.id == row["stage"]["id"]), None)
        context |= {
            "steps": steps(found, row["stage"]["id"], days_in_stages(stage_times(actor, row["id"]))),
            "guidance": here.guidance if here else "",
            "stage_name": here.name if here else "",
            "action": reverse("deal_move", args=[row["id"]]),
            "may_move": may_edit(actor, record_type, row),
            "is_open": row["stage"].get("kind") == OPEN,
        }
    elif not following:
        return None
    return Part("sales/stage_bar.html", context)


def days_in_stages(stays: list[StageTime]) -> dict[UUID, int]:
    """Whole days in each stage, all stays there together."""
    seconds: Counter[UUID] = Counter()
    for stay in stays:
        seconds[stay.stage_id] += stay.seconds
    return {stage_id: spent // DAY for stage_id, spent in seconds.items()}


def steps(found: list[StageRef], current_id: UUID, days: Mapping[UUID, int]) -> list[Step]:
    current = next((place for place, one in enumerate(found) if one.id == current_id), 0)
    made = []
    for place, one in enumerate(found):
        if place == current:
            state = {WON: "won", LOST: "lost"}.get(one.kind, "now")
        elif one.kind == OPEN and place < current and found[current].kind != LOST:
            state = "done"
        else:
            state = ""
        made.append(Step(one.id, one.name, state, place == current, one.kind, days.get(one.id)))
    return made
