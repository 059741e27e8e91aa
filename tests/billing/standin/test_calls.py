"""No call is forgotten: what billing asks of Stripe is in the contract, and what the stand-in offers Stripe has too."""

import ast
import re
from pathlib import Path

import pytest

from embedded.stripe.resources import ROUTES
from embedded.stripe.resources.routing import Route
from tests.billing.standin.declared import operation_of, operations, parameters_of
from tests.stack import ROOT

CLIENT = sorted((ROOT / "billing").glob("stripe_*.py"))
CONTRACT = [Path(__file__).with_name("test_contract.py")]


def calls_in(paths: list[Path]) -> set[str]:
    """The calls that files make on ``….v1``, as the library names them: ``checkout.sessions.create``."""
    found = set()
    for node in (node for path in paths for node in ast.walk(ast.parse(path.read_text()))):
        names: list[str] = []
        place = node.func if isinstance(node, ast.Call) else None
        while isinstance(place, ast.Attribute):
            names.insert(0, place.attr)
            place = place.value
        if "v1" in names:
            found.add(".".join(names[names.index("v1") + 1 :]))
    return found


def test_every_call_that_billing_makes_is_held_to_the_contract() -> None:
    made = calls_in(CLIENT)
    assert len(made) > 20
    assert made - calls_in(CONTRACT) == set()


def test_every_call_that_billing_makes_is_one_of_the_library() -> None:
    assert calls_in(CLIENT) - {one.name for one in operations()} == set()


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: f"{route.method} {route.path}")
def test_the_stand_in_offers_no_call_and_takes_no_parameter_that_stripe_does_not(route: Route) -> None:
    path = re.sub(r"\{\w+\}", "x", route.path)
    assert set(route.params) - parameters_of(operation_of(route.method, path)) == set()
