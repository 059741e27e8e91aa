"""Paths of timelines, of composing, of ticking off and of series."""

from django.urls import path

from crm.activities import views
from crm.activities.calendar import views as calendar_views
from crm.activities.page_sections import COMPOSED
from crm.records.schema.registry import registry

app_name = "activities"
urlpatterns = [
    path("calendar/", calendar_views.calendar, name="calendar"),
    path("calendar/feed/<str:token>.ics", calendar_views.calendar_ics, name="calendar_ics"),
    path("settings/calendar/", calendar_views.calendar_feed, name="calendar_feed"),
    path("<slug:noun>/<uuid:id>/when/", calendar_views.calendar_move, name="calendar_move"),
    path("<slug:noun>/<uuid:id>/done/", views.done_toggle, name="toggle"),
    path("<slug:noun>/<uuid:id>/next/", views.next_plan, name="next"),
    path("<slug:noun>/<uuid:id>/series/", views.series_change, name="series"),
    path("meetings/<uuid:id>/reply/", views.meeting_reply, name="reply"),
    path("<slug:noun>/<uuid:id>/activity/", views.activity, name="activity"),
    *(
        path(
            f"<slug:noun>/<uuid:id>/{registry.get(what).plural}/",
            views.activity_add,
            {"what": what},
            name=f"{what}_add",
        )
        for what in COMPOSED
    ),
]
