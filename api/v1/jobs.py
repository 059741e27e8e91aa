"""Work in the background: big changes of many records, how far they came, cancel and undo."""

from typing import Any
from uuid import UUID

from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError
from api.params import unknown_parameter, whole_number
from api.v1.members import text
from api.v1.records import RecordView
from api.views import ApiView
from crm.records.access.visibility import require_scope
from crm.records.errors import BadCursor, NotFound
from crm.records.jobs import bulk, jobs
from crm.records.jobs.bulk import Selection, bulk_start
from crm.records.lists.saved_views import Views
from crm.records.models import Job

KEYS = frozenset({"action", "ids", "filter", "search", "view", "values", "on_error"})


def job_body(job: Job) -> dict[str, Any]:
    return {
        "id": job.pk,
        "kind": job.kind,
        "title": job.title,
        "noun": job.noun,
        "state": job.state,
        "total": job.total,
        "done": job.done,
        "changed": job.result.get("changed", 0),
        "skipped": job.skipped,
        "problems": job.problems,
        "error": job.error,
        "file": f"/api/v1/jobs/{job.pk}/file" if job.result.get("file") else None,
        "change_set": job.change_set_id,
        "undo_of": job.undo_of_id,
        "created_at": job.created_at,
        "finished_at": job.finished_at,
    }


def accepted(job: Job) -> Response:
    return Response(job_body(job), status=202, headers={"Location": f"/api/v1/jobs/{job.pk}"})


class RecordBulk(RecordView):
    """``POST /v1/<nouns>/bulk``: change or trash many records in the background."""

    parameters = frozenset()

    def post(self, request: Request) -> Response:
        self.require_right("bulk")
        body = self.body(request)
        for name in body:
            if name not in KEYS:
                raise unknown_parameter(str(name), KEYS)
        action, on_error = body.get("action", "edit"), body.get("on_error", "skip")
        if action not in ("edit", "trash", "restore"):
            raise ApiError(400, "invalid_parameter", _("action must be edit, trash or restore."), param="action")
        if on_error not in ("skip", "stop"):
            raise ApiError(400, "invalid_parameter", _("on_error must be skip or stop."), param="on_error")
        values = body.get("values") or {}
        if not isinstance(values, dict):
            raise ApiError(400, "invalid_parameter", _("values must be an object of fields."), param="values")
        if values and action != "edit":
            message = _("values are for the action edit; nothing is changed by %(action)s.")
            raise ApiError(400, "invalid_parameter", message % {"action": action}, param="values")
        return accepted(
            bulk_start(self.actor, self.record_type, action, self.selection(body), values=values, on_error=on_error)
        )

    def selection(self, body: Any) -> Selection:
        """Exactly one of ``ids``, ``view`` and ``filter`` says which; an empty filter means all."""
        if sum(name in body for name in ("ids", "filter", "view")) != 1:
            raise ApiError(400, "invalid_selection", _("Give one of ids, filter and view."), param="filter")
        search = body.get("search", "")
        if not isinstance(search, str):
            raise ApiError(400, "invalid_parameter", _("%(param)s must be text.") % {"param": "search"}, param="search")
        if "ids" in body:
            return Selection(ids=ids_read(body["ids"]))
        if "view" in body:
            return Selection(
                filter=Views(self.actor, self.record_type).get_whole(text(body, "view")).filter, search=search
            )
        tree = body["filter"]
        if not isinstance(tree, dict):
            raise ApiError(400, "invalid_filter", _("filter must be a tree of conditions."), param="filter")
        return Selection(filter=tree, search=search)


MAX_IDS = 10_000


def ids_read(given: Any) -> list[UUID]:
    if not isinstance(given, list) or not 0 < len(given) <= MAX_IDS:
        message = _("ids must be a list of 1 to %(most)d ids.") % {"most": MAX_IDS}
        raise ApiError(400, "invalid_parameter", message, param="ids")
    try:
        return [UUID(str(one)) for one in given]
    except ValueError:
        raise ApiError(400, "invalid_parameter", _("One of the ids is not an id."), param="ids") from None


class JobView(ApiView):
    """Jobs of the member behind the key, of nouns that the key may read."""

    def job(self, job_id: UUID, *, write: bool = False) -> Job:
        job = jobs.job_get(self.actor, job_id)
        needed = "export" if job.kind == "export" else "bulk" if job.noun else "edit"
        for noun in jobs.nouns_of(job) if write else ():
            require_scope(self.actor, noun, needed)
        if write and not all(self.actor.can(noun, needed) for noun in jobs.nouns_of(job)):
            raise ApiError(403, "forbidden", _("The role behind this key may not do that."))
        return job


class JobList(JobView):
    """Work in the background, the newest first."""

    component = "Job"
    parameters = frozenset({"cursor", "limit"})

    def get(self, request: Request) -> Response:
        limit = whole_number(request.query_params.get("limit"), param="limit", lowest=1, highest=500, default=50)
        rows = jobs.jobs_of(self.actor)
        cursor = request.query_params.get("cursor")
        if cursor:
            try:
                rows = rows.filter(pk__lt=UUID(cursor))
            except ValueError:
                raise BadCursor from None
        found = list(rows[: limit + 1])
        following = str(found[limit - 1].pk) if len(found) > limit else None
        return Response({"data": [job_body(job) for job in found[:limit]], "next_cursor": following})


class JobDetail(JobView):
    """How far one came."""

    def get(self, request: Request, job_id: UUID) -> Response:
        return Response(job_body(self.job(job_id)))


class JobCancel(JobView):
    """Stop it after the rows it is at. What is done stays, and can be undone."""

    takes_body = False

    def post(self, request: Request, job_id: UUID) -> Response:
        self.job(job_id, write=True)
        return Response(job_body(jobs.job_cancel(self.actor, job_id)))


class JobUndo(JobView):
    """Take back all that it changed, in the background."""

    takes_body = False

    def post(self, request: Request, job_id: UUID) -> Response:
        job = self.job(job_id, write=True)
        if job.change_set_id is None:
            raise NotFound
        return accepted(bulk.undo_start(self.actor, job.change_set_id))
