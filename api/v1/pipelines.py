"""What is done with pipelines and stages beside the routes that every noun has: copied, archived, removed, added up."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any
from uuid import UUID

from rest_framework.request import Request
from rest_framework.response import Response

from api.params import names
from api.v1.jobs import accepted
from api.v1.members import identity, known, shaped, text
from api.v1.records import RecordView
from api.views import ONE
from crm.records.access.field_rights import require_sight
from crm.records.models import Job
from crm.sales import services
from crm.sales.board.columns import Asked, Card, Column, board
from crm.workspace.currencies.convert import Converted


class RecordCopy(RecordView):
    """``POST /v1/pipelines/<id>/copy``: its settings and stages under another ``name``, without its deals."""

    parameters = ONE

    def post(self, request: Request, record_id: UUID) -> Response:
        self.require_right("create")
        body = known(self.body(request), ("name",))
        change = services.pipeline_copy(self.actor, pipeline_id=record_id, name=text(body, "name"), source="api")
        return self.answer_write(request, change.id, status=201)


class RecordArchive(RecordView):
    """``POST /v1/pipelines/<id>/archive``: ``moves`` says for stages of it to which stage their deals go.

    With more than 500 deals to move it is a job: 202.
    """

    parameters = ONE

    def post(self, request: Request, record_id: UUID) -> Response:
        self.require_right("edit")
        given = shaped(known(self.body(request), ("moves",)), "moves", dict)
        moves = {identity(stage, "moves"): identity(target, "moves") for stage, target in given.items()}
        done = services.pipeline_archive_start(self.actor, pipeline_id=record_id, moves=moves, source="api")
        return accepted(done) if isinstance(done, Job) else self.answer_write(request, record_id)


class RecordBoard(RecordView):
    """``GET /v1/pipelines/<id>/board``: its stages with how many deals, their sums and the first of them as cards.

    ``quick`` (mine, team, closing, stale, idle) and ``search`` narrow it.
    """

    parameters = frozenset({"quick", "search"})

    def get(self, request: Request, record_id: UUID) -> Response:
        for noun in ("stage", "deal"):
            require_sight(self.actor, noun)
        asked = Asked(quick=names(request.query_params.get("quick")), search=request.query_params.get("search", ""))
        found = board(self.actor, record_id, asked)
        return Response({"pipeline": found.pipeline.id, "stages": [_column(one) for one in found.columns]})


class RecordRemove(RecordView):
    """``POST /v1/stages/<id>/remove``: its deals go to the stage ``move_to``, in the same change."""

    parameters = ONE

    def post(self, request: Request, record_id: UUID) -> Response:
        self.require_right("delete")
        body = known(self.body_or_nothing(request), ("move_to",))
        services.stage_remove(self.actor, stage_id=record_id, move_to=text(body, "move_to") or None, source="api")
        return Response(status=204)


def _column(column: Column) -> dict[str, Any]:
    return {
        "stage": column.stage.id,
        "count": column.count,
        "sums": _amounts(column.sums),
        "weighted": _amounts(column.weighted.sums if column.weighted else {}),
        "total": _total(column.total),
        "weighted_total": _total(column.weighted.total if column.weighted else None),
        "deals": [_card(one) for one in column.cards],
    }


def _amounts(sums: Mapping[str, Decimal]) -> dict[str, str]:
    return {currency: f"{amount:f}" for currency, amount in sums.items()}


def _total(total: Converted | None) -> dict[str, Any] | None:
    if total is None:
        return None
    return {
        "amount": f"{total.amount:f}",
        "currency": total.currency,
        "rates_on": total.rates_on,
        "missing": list(total.missing),
        "missing_count": total.missing_count,
    }


def _card(card: Card) -> dict[str, Any]:
    return {
        "id": card.id,
        "name": card.name,
        "amount": None if card.amount is None else f"{card.amount:f}",
        "currency": card.currency or None,
        "owner": card.owner_id,
        "next_activity_at": card.next_at,
        "next_activity": card.next_state,
        "days_in_stage": card.days_in_stage,
        "stale": card.stale,
    }
