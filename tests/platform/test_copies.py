"""The whole product, twice side by side, from the outside: nothing shared, nothing lost, nothing left behind."""

import contextlib
import json
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import redis

from tests.platform.copies import ending_what_is_left, living, start, until
from tests.stack import free_port


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    with ending_what_is_left(tmp_path) as found:
        yield found


def test_two_copies_live_and_die_apart_and_keep_what_they_hold(folder: Path) -> None:
    first, second = start(folder / "first", free_port()), start(folder / "second", free_port())
    until(first.ready, first)
    until(second.ready, second)

    with contextlib.closing(psycopg2.connect(first.environment["DATABASE_ADMIN_URL"])) as connection, connection:
        connection.cursor().execute("CREATE TABLE kept AS SELECT 'a window' AS what")
    redis.Redis.from_url(first.environment["VALKEY_URL"]).set("kept", "a door")
    with contextlib.closing(psycopg2.connect(second.environment["DATABASE_ADMIN_URL"])) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT to_regclass('kept')")
        assert cursor.fetchone() == (None,)

    before = first.pids
    for name in ("postgres", "web", "worker-interactive"):
        os.kill(before[name], signal.SIGKILL)
    until(lambda: not set(before.values()) <= set(first.pids.values()) and first.ready(), first)
    assert "postgres ended by itself (SIGKILL); starting it again" in first.log()

    family = first.process.children(recursive=True)
    assert len(family) >= 10
    first.process.send_signal(signal.SIGINT)
    assert first.process.wait(120) == 0
    assert living(family) == []
    assert second.ready()

    if sys.platform == "linux":
        family = second.process.children(recursive=True)
        second.process.kill()
        assert living(family) == []
    else:
        second.process.send_signal(signal.SIGTERM)
    second.process.wait(120)

    ports = json.loads((first.data / "copy.json").read_text())
    again = start(first.data, first.port)
    until(again.ready, again)
    assert json.loads((first.data / "copy.json").read_text()) == ports
    with contextlib.closing(psycopg2.connect(again.environment["DATABASE_ADMIN_URL"])) as connection:
        cursor = connection.cursor()
        cursor.execute("SELECT what FROM kept")
        assert cursor.fetchone() == ("a window",)
    assert redis.Redis.from_url(again.environment["VALKEY_URL"]).get("kept") == b"a door"
    family = again.process.children(recursive=True)
    again.process.send_signal(signal.SIGTERM)
    assert again.process.wait(120) == 0
    assert living(family) == []
