"""Paths of the home page and the board of deals."""

from django.urls import path

from crm.sales import views

urlpatterns = [
    path("", views.home, name="home"),
    path("deals/board/", views.board, name="board"),
    path("deals/board/together/", views.board_together, name="board_together"),
    path("deals/board/<uuid:stage>/", views.board_column, name="board_column"),
    path("deals/<uuid:id>/move/", views.deal_move, name="deal_move"),
]
