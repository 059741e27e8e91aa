"""Settings pages of pipelines and of sample data; included under the namespace ``settings``."""

from django.urls import path

from crm.sales.pipelines import settings_views

urlpatterns = [
    path("pipelines/", settings_views.pipelines, name="pipelines"),
    path("pipelines/order/", settings_views.pipelines_order, name="pipelines_order"),
    path("pipelines/<uuid:id>/", settings_views.pipeline_edit, name="pipeline"),
    path("pipelines/<uuid:id>/default/", settings_views.pipeline_default, name="pipeline_default"),
    path("pipelines/<uuid:id>/archive/", settings_views.pipeline_archive, name="pipeline_archive"),
    path("pipelines/<uuid:id>/restore/", settings_views.pipeline_restore, name="pipeline_restore"),
    path("pipelines/<uuid:id>/remove/", settings_views.pipeline_remove, name="pipeline_remove"),
    path("pipelines/<uuid:id>/order/", settings_views.stages_order, name="stages_order"),
    path("pipelines/<uuid:id>/stages/", settings_views.stage_new, name="stage_new"),
    path("pipelines/stages/<uuid:id>/", settings_views.stage_edit, name="stage"),
    path("pipelines/stages/<uuid:id>/remove/", settings_views.stage_remove, name="stage_remove"),
    path("pipelines/lost-reasons/", settings_views.lost_reason_new, name="lost_reason_new"),
    path("pipelines/lost-reasons/order/", settings_views.lost_reasons_order, name="lost_reasons_order"),
    path("pipelines/lost-reasons/<uuid:id>/", settings_views.lost_reason_edit, name="lost_reason"),
    path("pipelines/lost-reasons/<uuid:id>/remove/", settings_views.lost_reason_remove, name="lost_reason_remove"),
    path("data/", settings_views.sample_data, name="data"),
]
