"""Settings pages of pipelines and of sample data; included under the namespace ``settings``."""

from django.urls import path

from crm.sales import settings_views as views

urlpatterns = [
    path("pipelines/", views.pipelines, name="pipelines"),
    path("pipelines/order/", views.pipelines_order, name="pipelines_order"),
    path("pipelines/<uuid:id>/", views.pipeline_edit, name="pipeline"),
    path("pipelines/<uuid:id>/default/", views.pipeline_default, name="pipeline_default"),
    path("pipelines/<uuid:id>/archive/", views.pipeline_archive, name="pipeline_archive"),
    path("pipelines/<uuid:id>/restore/", views.pipeline_restore, name="pipeline_restore"),
    path("pipelines/<uuid:id>/remove/", views.pipeline_remove, name="pipeline_remove"),
    path("pipelines/<uuid:id>/order/", views.stages_order, name="stages_order"),
    path("pipelines/<uuid:id>/stages/", views.stage_new, name="stage_new"),
    path("pipelines/stages/<uuid:id>/", views.stage_edit, name="stage"),
    path("pipelines/stages/<uuid:id>/remove/", views.stage_remove, name="stage_remove"),
    path("pipelines/lost-reasons/", views.lost_reason_new, name="lost_reason_new"),
    path("pipelines/lost-reasons/order/", views.lost_reasons_order, name="lost_reasons_order"),
    path("pipelines/lost-reasons/<uuid:id>/", views.lost_reason_edit, name="lost_reason"),
    path("pipelines/lost-reasons/<uuid:id>/remove/", views.lost_reason_remove, name="lost_reason_remove"),
    path("data/", views.sample_data, name="data"),
]
