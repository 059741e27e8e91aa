"""Visibility policies: which rows of a record type an actor who may view it at all sees."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

from django.db.models import Q, QuerySet

from tenants.actors import Actor, Scope
from tenants.db.prepared import Among


class VisibilityPolicy(ABC):
    """Who sees which records. It goes by the actor's view scopes, member id and team and by nothing else: statements
    are prepared for all who share scopes.

    ``holders`` are the MEMBER fields whose members a record belongs to, ``guests`` is the field with those who see it
    because they are asked to it. ``goes_by_subjects`` says that who sees what a record is on sees the record,
    ``is_everyones`` that records are nobody's own.
    """

    holders: tuple[str, ...] = ()
    guests: str = ""
    goes_by_subjects: ClassVar[bool] = False
    is_everyones: ClassVar[bool] = False

    @abstractmethod
    def rows(self, actor: Actor, record_type: str, queryset: QuerySet[Any]) -> QuerySet[Any]:
        """Of the rows of a record type, by its slug, those the actor sees; their view scope there is not NONE."""


class ByOwner(VisibilityPolicy):
    """All rows to who may view all; else those where one of the MEMBER fields is themselves or one of their team."""

    def __init__(self, *holders: str) -> None:
        self.holders = holders

    def rows(self, actor: Actor, record_type: str, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return rows_within(queryset, actor, actor.scope(record_type, "view"), *self.holders)


class Everyone(VisibilityPolicy):
    """All rows to everybody who may view the noun at all: for nouns that nobody owns, such as pipelines."""

    is_everyones = True

    def rows(self, actor: Actor, record_type: str, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset


def held_by(actor: Actor, scope: Scope, *fields: str) -> Q:
    """That one of the MEMBER fields is the actor or, within the scope ``team``, one of their team; never nobody."""
    if actor.member_id is None or scope is Scope.NONE:
        return Q(pk__in=[])
    condition = Q()
    for slug in fields:
        if scope is Scope.TEAM:
            condition |= Q(Among.of(f"{slug}_id", actor.team_members))
        else:
            condition |= Q(**{slug: actor.member_id})
    return condition


def rows_within(queryset: QuerySet[Any], actor: Actor, scope: Scope, *fields: str) -> QuerySet[Any]:
    """The rows that a scope reaches, going by who is named in the MEMBER fields."""
    if scope is Scope.ALL:
        return queryset
    if scope is Scope.NONE or actor.member_id is None:
        return queryset.none()
    return queryset.filter(held_by(actor, scope, *fields))
