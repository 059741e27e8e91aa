"""Exports: what a query finds as a CSV file, made in the background and kept for a day."""

from codecs import BOM_UTF8
from uuid import UUID

from django.http import FileResponse
from django.utils.translation import gettext as _
from rest_framework.request import Request
from rest_framework.response import Response

from api.errors import ApiError
from api.params import settled
from api.v1.jobs import JobView, accepted
from api.v1.records import RecordQuery
from crm.records.jobs import export
from crm.records.lists.saved_views import Views


class RecordExport(RecordQuery):
    """``POST /v1/<nouns>/export``: write what a query finds to a file, in the background.

    Its columns are the fields asked for, else those of the view, else all that the key may read.
    """

    keys = frozenset({"filter", "search", "sort", "view", "fields"})
    writes_unpaid = True

    def post(self, request: Request) -> Response:
        self.require_right("export")
        wanted = settled(self.wanted(request))
        slugs, name = wanted.fields, str(self.record_type.label_plural)
        if slugs == ():
            raise ApiError(400, "invalid_parameter", _("fields must name at least one field."), param="fields")
        if key := self.body(request).get("view"):
            view = Views(self.actor, self.record_type).get(str(key))
            slugs, name = slugs or view.columns, f"{name}: {view.name}"
        known = export.exportable(self.actor, self.record_type)
        columns = [known[slug] for slug in slugs] if slugs else export.columns_of(self.actor, self.record_type)
        return accepted(export.export_start(self.actor, self.record_type, columns, wanted, name=name))


class JobFile(JobView):
    """The file of an export, for a day: CSV in UTF-8 whose first line has the names of the columns."""

    def get(self, request: Request, job_id: UUID) -> FileResponse:
        self.job(job_id)
        _job, path = export.export_file(self.actor, job_id)
        file = path.open("rb")
        file.seek(len(BOM_UTF8))
        return FileResponse(file, as_attachment=True, filename=path.name, content_type="text/csv; charset=utf-8")
