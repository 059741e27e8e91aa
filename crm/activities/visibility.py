"""Who may see an activity: those it belongs to, those it is with, and those who may see a record it is on."""

from typing import Any

from django.db.models import Exists, OuterRef, Q, QuerySet

from crm.activities.models import Place
from crm.records.schema.policies import VisibilityPolicy, held_by
from crm.records.schema.registry import registry
from tenants.actors import Actor, Scope

NOUNS = ("task", "call", "meeting", "email", "note")
PLANNED = ("task", "call", "meeting")


class OwnOrAboutTheVisible(VisibilityPolicy):
    """One's own by one of the MEMBER fields, with the scope "team" the team's, and what one is a guest of; with "all"
    also what is on no record, or on one that one may see."""

    goes_by_subjects = True

    def __init__(self, *holders: str, guests: str = "") -> None:
        self.holders = holders
        self.guests = guests

    def rows(self, actor: Actor, record_type: str, queryset: QuerySet[Any]) -> QuerySet[Any]:
        scope = actor.scope(record_type, "view")
        own = held_by(actor, scope if scope is Scope.TEAM else Scope.OWN, *self.holders)
        if self.guests and actor.member_id is not None:
            own |= Q(**{f"{self.guests}__contains": [{"type": "member", "id": str(actor.member_id)}]})
        if scope is not Scope.ALL:
            return queryset.filter(own)
        subjects = [subject for subject in registry.all() if subject.slug not in NOUNS]
        whole = [subject.slug for subject in subjects if actor.scope(subject.slug, "view") is Scope.ALL]
        if len(whole) == len(subjects):
            return queryset
        on = Q(about_type__in=whole)
        for subject in subjects:
            if actor.scope(subject.slug, "view") in (Scope.OWN, Scope.TEAM):
                on |= Q(about_type=subject.slug) & Q(Exists(subject.visible_to(actor).filter(pk=OuterRef("about_id"))))
        further = Place.objects.filter(on, activity_id=OuterRef("pk"))
        return queryset.filter(own | Q(about_type="") | on | (~Q(also=[]) & Q(Exists(further))))
