"""Paths of timelines, notes and tasks."""

from django.urls import path

from crm.activities import views

app_name = "activities"
urlpatterns = [
    path("tasks/<uuid:id>/done/", views.task_toggle, name="task_toggle"),
    path("<slug:noun>/<uuid:id>/activity/", views.activity, name="activity"),
    path("<slug:noun>/<uuid:id>/notes/", views.note_add, name="note_add"),
    path("<slug:noun>/<uuid:id>/tasks/", views.task_add, name="task_add"),
]
