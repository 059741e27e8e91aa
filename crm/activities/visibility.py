"""Who may see a task or a note: those it belongs to, and those who may see what it is about."""

from typing import Any

from django.db.models import Q, QuerySet

from crm.records.types import Visibility, registry
from tenants.actors import Actor, Scope


def own_or_about_the_visible(*fields: str) -> Visibility:
    """One's own by one of the MEMBER fields; with the scope "all" also those about a visible record or about none."""

    def visible(actor: Actor, queryset: QuerySet[Any]) -> QuerySet[Any]:
        noun = registry.for_model(queryset.model).slug
        own = Q()
        if actor.member_id is not None:
            for slug in fields:
                own |= Q(**{slug: actor.member_id})
        if actor.scope(noun, "view") is not Scope.ALL:
            return queryset.filter(own) if own else queryset.none()
        subjects = [rt for rt in registry.all() if rt.slug not in {"task", "note"}]
        whole = [rt.slug for rt in subjects if actor.scope(rt.slug, "view") is Scope.ALL]
        if len(whole) == len(subjects):
            return queryset
        about = Q(about_type__in=["", *whole])
        for rt in subjects:
            if actor.scope(rt.slug, "view") is Scope.OWN:
                about |= Q(about_type=rt.slug, about_id__in=rt.visible_to(actor).values("pk"))
        return queryset.filter(own | about)

    return visible
