"""What apps give to the floors below them in their ``ready()``: typed, once, and in any order."""

import os
import subprocess
import sys

import pytest
from django.core.exceptions import ImproperlyConfigured

from tenants.registration import Hook, NotRegistered, Table
from tests.registrations import registered


@pytest.fixture
def greets():
    @Hook
    def greeting(name: str) -> str:
        """What somebody is greeted with."""
        raise NotRegistered("Nobody greets.")

    return greeting


def test_a_hook_does_what_is_registered(greets):
    greets.register(lambda name: f"Hello {name}")
    assert greets("Ann") == "Hello Ann"


def test_a_second_one_is_refused(greets):
    greets.register(lambda name: name)
    with pytest.raises(ImproperlyConfigured, match="greeting is registered already"):
        greets.register(lambda name: name)


def test_what_nobody_does_is_said(greets):
    with pytest.raises(NotRegistered, match="Nobody greets"):
        greets("Ann")


def test_a_hook_is_documented_as_what_it_stands_for(greets):
    assert (greets.__doc__, greets.__name__) == ("What somebody is greeted with.", "greeting")


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


def test_no_hook_is_left_without_an_app_that_does_its_work():
    assert [line for line in registered() if line.endswith(": None")] == []
    assert "kind of job: bulk, export, hand_over, pipeline_archive, undo" in registered()


def test_what_is_registered_does_not_depend_on_the_order_of_the_apps():
    """A process of its own, which takes as long as Django: those above the floor stand in it the other way round."""
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "tests.registrations"]
    run = subprocess.run(command, env=environment, timeout=120, check=True, capture_output=True, text=True)
    assert run.stdout.splitlines() == registered()
