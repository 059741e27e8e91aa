"""What apps give to the floors below them in their ``ready()``: typed, once, and in any order."""

import pytest
from django.core.exceptions import ImproperlyConfigured

from tenants.registration import Hook, NotRegistered, Table


@Hook
def greeting(name: str) -> str:
    """What somebody is greeted with."""
    raise NotRegistered("Nobody greets.")


@pytest.fixture
def greets():
    @Hook
    def fresh(name: str) -> str:
        """What somebody is greeted with."""
        raise NotRegistered("Nobody greets.")

    return fresh


def test_a_hook_does_what_is_registered(greets):
    greets.register(lambda name: f"Hello {name}")
    assert greets("Ann") == "Hello Ann"


def test_a_second_one_is_refused(greets):
    greets.register(lambda name: name)
    with pytest.raises(ImproperlyConfigured, match="fresh is registered already"):
        greets.register(lambda name: name)


def test_what_nobody_does_is_said():
    with pytest.raises(NotRegistered, match="Nobody greets"):
        greeting("Ann")


def test_a_hook_is_documented_as_what_it_stands_for():
    assert (greeting.__doc__, greeting.__name__) == ("What somebody is greeted with.", "greeting")


def test_a_name_is_registered_once():
    table = Table[int]("bell")
    table.add("one", 1)
    with pytest.raises(ImproperlyConfigured, match="a bell named 'one' already"):
        table.add("one", 1)


def test_an_unknown_name_is_said():
    with pytest.raises(KeyError, match="no bell named 'two'"):
        Table[int]("bell")["two"]


def test_a_table_does_not_go_by_the_order_of_registration():
    there, back = Table[int]("bell"), Table[int]("bell")
    for name in "bac":
        there.add(name, 1)
    for name in "cab":
        back.add(name, 1)
    assert list(there) == list(back) == ["a", "b", "c"]
