"""Whether an actor may do what a service is asked for."""

from django.core.exceptions import PermissionDenied
from django.http import Http404

from tenants.actors import Actor
from tenants.hooks import record_type_of


def check(actor: Actor, noun: str, action: str) -> None:
    """Raise Http404 when the actor may not view ``noun`` at all, PermissionDenied when just not ``action``."""
    if actor.can(noun, action):
        return
    if noun != "workspace" and not actor.can(noun, "view"):
        raise Http404
    raise PermissionDenied


def noun_of(plural: str) -> str:
    try:
        return record_type_of(plural)
    except LookupError:
        raise Http404 from None
