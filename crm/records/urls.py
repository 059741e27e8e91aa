"""Paths of every noun. They begin with the noun's plural, so this list comes after all others."""

from django.urls import path

from crm.records.views import (
    access_explanation,
    bulk_changes,
    export,
    jobs,
    mentions,
    record,
    record_list,
    saved_views,
    search,
    trash,
    undo,
)

app_name = "records"
urlpatterns = [
    path("search/", search.search, name="search"),
    path("references/", search.references, name="references"),
    path("mentions/", mentions.mentions, name="mentions"),
    path("trash/", trash.trash, name="trash"),
    path("jobs/", jobs.job_list, name="jobs"),
    path("jobs/work/", jobs.job_work, name="work"),
    path("jobs/<uuid:job>/", jobs.job_detail, name="job"),
    path("jobs/<uuid:job>/cancel/", jobs.job_cancel, name="job_cancel"),
    path("jobs/<uuid:job>/undo/", undo.job_undo, name="job_undo"),
    path("jobs/<uuid:job>/file/", export.export_file, name="export_file"),
    path("undo/last/", undo.undo_last, name="undo_last"),
    path("undo/<uuid:change_set>/", undo.undo, name="undo"),
    path("<slug:noun>/", record_list.record_list, name="list"),
    path("<slug:noun>/totals/", record_list.record_totals, name="totals"),
    path("<slug:noun>/filter/", record_list.record_filter, name="filter"),
    path("<slug:noun>/columns/", record_list.record_columns, name="columns"),
    path("<slug:noun>/bulk/", bulk_changes.record_bulk, name="bulk"),
    path("<slug:noun>/bulk/field/", bulk_changes.record_bulk_field, name="bulk_field"),
    path("<slug:noun>/export/", export.export, name="export"),
    path("<slug:noun>/views/", saved_views.view_new, name="view_new"),
    path("<slug:noun>/views/<uuid:view>/", saved_views.view_edit, name="view_edit"),
    path("<slug:noun>/views/<uuid:view>/duplicate/", saved_views.view_duplicate, name="view_duplicate"),
    path("<slug:noun>/views/<uuid:view>/delete/", saved_views.view_delete, name="view_delete"),
    path("<slug:noun>/views/<slug:view>/tab/", saved_views.view_tab, name="view_tab"),
    path("<slug:noun>/options/", search.record_options, name="options"),
    path("<slug:noun>/board/", record_list.record_board, name="board"),
    path("<slug:noun>/new/", record.record_new, name="new"),
    path("<slug:noun>/<uuid:id>/", record.record_detail, name="detail"),
    path("<slug:noun>/<uuid:id>/edit/<slug:field>/", record.record_edit_field, name="edit_field"),
    path("<slug:noun>/<uuid:id>/why/", access_explanation.record_why, name="why"),
    path("<slug:noun>/<uuid:id>/trash/", trash.record_trash, name="trash_one"),
    path("<slug:noun>/<uuid:id>/restore/", trash.record_restore, name="restore_one"),
]
