"""Paths of every noun. They begin with the noun's plural, so this list comes after all others."""

from django.urls import path

from crm.records import views

app_name = "records"
urlpatterns = [
    path("search/", views.search, name="search"),
    path("references/", views.references, name="references"),
    path("trash/", views.trash, name="trash"),
    path("undo/last/", views.undo_last, name="undo_last"),
    path("undo/<uuid:change_set>/", views.undo, name="undo"),
    path("<slug:noun>/", views.record_list, name="list"),
    path("<slug:noun>/totals/", views.record_totals, name="totals"),
    path("<slug:noun>/filter/", views.record_filter, name="filter"),
    path("<slug:noun>/columns/", views.record_columns, name="columns"),
    path("<slug:noun>/bulk/", views.record_bulk, name="bulk"),
    path("<slug:noun>/bulk/field/", views.record_bulk_field, name="bulk_field"),
    path("<slug:noun>/options/", views.record_options, name="options"),
    path("<slug:noun>/board/", views.record_board, name="board"),
    path("<slug:noun>/new/", views.record_new, name="new"),
    path("<slug:noun>/<uuid:id>/", views.record_detail, name="detail"),
    path("<slug:noun>/<uuid:id>/edit/<slug:field>/", views.record_edit_field, name="edit_field"),
    path("<slug:noun>/<uuid:id>/trash/", views.record_trash, name="trash_one"),
    path("<slug:noun>/<uuid:id>/restore/", views.record_restore, name="restore_one"),
]
