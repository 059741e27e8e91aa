"""Paths of every noun. They begin with the noun's plural, so this list comes after all others."""

from django.urls import path

from crm.records import exporting_views, job_views, mention_views, tab_views, undo_views, views, why_views

app_name = "records"
urlpatterns = [
    path("search/", views.search, name="search"),
    path("references/", views.references, name="references"),
    path("mentions/", mention_views.mentions, name="mentions"),
    path("trash/", views.trash, name="trash"),
    path("jobs/", job_views.job_list, name="jobs"),
    path("jobs/work/", job_views.job_work, name="work"),
    path("jobs/<uuid:job>/", job_views.job_detail, name="job"),
    path("jobs/<uuid:job>/cancel/", job_views.job_cancel, name="job_cancel"),
    path("jobs/<uuid:job>/undo/", undo_views.job_undo, name="job_undo"),
    path("jobs/<uuid:job>/file/", exporting_views.export_file, name="export_file"),
    path("undo/last/", undo_views.undo_last, name="undo_last"),
    path("undo/<uuid:change_set>/", undo_views.undo, name="undo"),
    path("<slug:noun>/", views.record_list, name="list"),
    path("<slug:noun>/totals/", views.record_totals, name="totals"),
    path("<slug:noun>/filter/", views.record_filter, name="filter"),
    path("<slug:noun>/columns/", views.record_columns, name="columns"),
    path("<slug:noun>/bulk/", views.record_bulk, name="bulk"),
    path("<slug:noun>/bulk/field/", views.record_bulk_field, name="bulk_field"),
    path("<slug:noun>/export/", exporting_views.export, name="export"),
    path("<slug:noun>/views/", tab_views.view_new, name="view_new"),
    path("<slug:noun>/views/<uuid:view>/", tab_views.view_edit, name="view_edit"),
    path("<slug:noun>/views/<uuid:view>/duplicate/", tab_views.view_duplicate, name="view_duplicate"),
    path("<slug:noun>/views/<uuid:view>/delete/", tab_views.view_delete, name="view_delete"),
    path("<slug:noun>/views/<slug:view>/tab/", tab_views.view_tab, name="view_tab"),
    path("<slug:noun>/options/", views.record_options, name="options"),
    path("<slug:noun>/board/", views.record_board, name="board"),
    path("<slug:noun>/new/", views.record_new, name="new"),
    path("<slug:noun>/<uuid:id>/", views.record_detail, name="detail"),
    path("<slug:noun>/<uuid:id>/edit/<slug:field>/", views.record_edit_field, name="edit_field"),
    path("<slug:noun>/<uuid:id>/why/", why_views.record_why, name="why"),
    path("<slug:noun>/<uuid:id>/trash/", views.record_trash, name="trash_one"),
    path("<slug:noun>/<uuid:id>/restore/", views.record_restore, name="restore_one"),
]
