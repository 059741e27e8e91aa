"""A start that cannot succeed says why in one line, and leaves with status 1."""

import os
import shutil
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from config.environment import Environment, NotUnderstood
from embedded.disk import Notes, lock, make_private, require_space
from embedded.errors import StartError
from embedded.postgres import Postgres
from tests.stack import free_port

ROOT = Path(__file__).resolve().parents[2]
PRODUCTION = {
    "PRODUCTION": "1",
    "PUBLIC_ORIGIN": "https://crm.example",
    "BASE_DOMAIN": "crm.example",
    "SECRET_KEY": "k3-" + "0123456789abcdefghijklmnopqrstuvwxyz" * 2,
    "DATABASE_URL": "postgresql://rapport_app:wq7Lm2xPz94T@db.example/rapport",
    "DATABASE_OWNER_URL": "postgresql://rapport_owner:n83KdhQm5vBy@db.example/rapport",
    "VALKEY_URL": "redis://cache.example/0",
    "EMAIL_URL": "smtps://user:secret@mail.example",
    "STRIPE_SECRET_KEY": "sk_live_only_imagined_1",
    "STRIPE_WEBHOOK_SECRET": "whsec_only_imagined_one_two",
    "TRUSTED_PROXIES": "1",
}


def refused(data: Path, **environment: str) -> str:
    """The one line that a start with this environment prints."""
    clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    found = subprocess.run(
        [sys.executable, "-m", "embedded"],
        env={**clean, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'platform'}", "DATA": str(data), **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert found.returncode == 1, found.stdout + found.stderr
    assert found.stderr == ""
    (line,) = found.stdout.splitlines()
    return line


@pytest.fixture
def taken_port() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_a_taken_port_is_named(tmp_path: Path, taken_port: int) -> None:
    line = refused(tmp_path, PORT=str(taken_port))
    assert f"Port {taken_port} is taken" in line
    assert "PORT=" in line


def test_a_folder_in_use_is_named(tmp_path: Path) -> None:
    with lock(tmp_path / "lock", "unused"):
        assert f"{tmp_path} is in use by a running copy" in refused(tmp_path, PORT=str(free_port()))


def test_data_of_another_postgres_version_is_left_alone(tmp_path: Path) -> None:
    folder = tmp_path / "postgres"
    folder.mkdir()
    (folder / "PG_VERSION").write_text("16\n")
    line = refused(tmp_path, PORT=str(free_port()))
    assert "was made by Postgres 16, and this is Postgres 18" in line
    assert [path.name for path in folder.iterdir()] == ["PG_VERSION"]


def test_a_folder_of_something_else_is_not_taken_for_a_database(tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "thesis.odt").write_text("years of work")
    with pytest.raises(StartError, match="holds no Postgres data"):
        Postgres(tmp_path / "postgres").prepare()


def test_a_full_disk_is_named_before_anything_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=5_000_000))
    with pytest.raises(StartError, match="is full: free at least 300 MB"):
        require_space(tmp_path)


@pytest.mark.parametrize("port", ["0", "70000", "http", "-1"])
def test_a_port_that_is_none_is_named(tmp_path: Path, port: str) -> None:
    assert "PORT is" in refused(tmp_path, PORT=port)


def test_one_database_address_without_the_other_is_refused(tmp_path: Path) -> None:
    line = refused(tmp_path, PORT=str(free_port()), DATABASE_URL="postgresql://rapport_app:secret@db.example/rapport")
    assert "DATABASE_URL and DATABASE_OWNER_URL go together" in line


def test_production_starts_with_nothing_embedded_and_no_secret_of_ours(tmp_path: Path) -> None:
    line = refused(tmp_path, PRODUCTION="1")
    needed = ("SECRET_KEY", "DATABASE_URL", "DATABASE_OWNER_URL", "VALKEY_URL", "EMAIL_URL", "TRUSTED_PROXIES")
    for missing in (*needed, "STRIPE_SECRET_KEY"):
        assert f"{missing} is not set" in line
        with pytest.raises(NotUnderstood, match=f"{missing} is not set"):
            Environment.read({name: value for name, value in PRODUCTION.items() if name != missing})


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"SECRET_KEY": "development"}, "too weak"),
        ({"SECRET_KEY": "x" * 60}, "too weak"),
        ({"DEBUG": "1"}, "DEBUG is on"),
        ({"DEMO": "1"}, "DEMO is on"),
        ({"EMBEDDED": "Postgres"}, "embedded parts are running"),
        ({"STRIPE_SECRET_KEY": "sk_test_only_imagined_1"}, "test mode"),
        ({"STRIPE_SECRET_KEY": "rk_test_only_imagined_1"}, "test mode"),
        ({"STRIPE_API_URL": "http://127.0.0.1:12111"}, "stand-in"),
        ({"PUBLIC_ORIGIN": "http://crm.example"}, "https://"),
        ({"BASE_DOMAIN": "localhost"}, "BASE_DOMAIN"),
        (
            {"DATABASE_URL": "postgresql://rapport_app:secret@db.example/rapport"},
            "password in DATABASE_URL is too weak",
        ),
        (
            {"DATABASE_OWNER_URL": "postgresql://rapport_owner:rapport_owner@db.example/rapport"},
            "password in DATABASE_OWNER_URL is too weak",
        ),
        ({"VALKEY_URL": "redis://:secret@cache.example"}, "password in VALKEY_URL is too weak"),
    ],
)
def test_production_settings_refuse_what_is_unsafe(change: dict[str, str], told: str) -> None:
    assert Environment.read(PRODUCTION).production
    with pytest.raises(NotUnderstood, match=told):
        Environment.read({**PRODUCTION, **change})


def test_whoever_runs_it_as_root_or_not_an_unwritable_folder_is_told(tmp_path: Path) -> None:
    file = tmp_path / "a-file"
    file.write_text("")
    for data in (file, file / "below", Path("/proc/rapport")):
        line = refused(data, PORT=str(free_port()))
        assert "cannot be written" in line
        assert "choose another DATA" in line


def test_a_part_of_the_folder_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "logs").write_text("")
    assert f"{tmp_path / 'logs'} cannot be written" in refused(tmp_path, PORT=str(free_port()))


def test_what_is_not_understood_is_refused_before_anything_starts(tmp_path: Path) -> None:
    line = refused(tmp_path, PRODUCTION="y", WEB_WORKERS="many")
    assert "PRODUCTION is 'y'" in line
    assert "WEB_WORKERS is 'many'" in line
    assert not any(tmp_path.iterdir())


def test_no_suitable_python_is_said_in_one_line(tmp_path: Path) -> None:
    script = tmp_path / "platform" / "embedded" / "venv.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "platform" / "embedded" / "venv.sh", script)
    (tmp_path / "requirements.lock").write_text("")
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "cat", "cksum", "dirname", "mkdir", "rm", "sleep"):
        (tools / tool).symlink_to(str(shutil.which(tool)))
    old = tools / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    found = subprocess.run(
        [str(tools / "bash"), str(script)],
        env={"PATH": str(tools), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert found.returncode == 1
    (line,) = found.stderr.splitlines()
    assert "Python 3.12, 3.13 or 3.14" in line


def test_ports_and_secrets_are_found_again_at_the_next_start(tmp_path: Path, taken_port: int) -> None:
    first = Notes(tmp_path / "copy.json")
    port, secret = first.port("smtp_port"), first.secret("secret_key")
    again = Notes(tmp_path / "copy.json")
    assert (again.port("smtp_port"), again.secret("secret_key")) == (port, secret)
    assert again.port("mail_page_port", taken_port) != taken_port
    assert (tmp_path / "copy.json").stat().st_mode & 0o077 == 0


def test_what_an_older_copy_left_for_all_to_read_is_its_owners_alone(tmp_path: Path) -> None:
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails").chmod(0o755)
    outside = tmp_path.parent / "outside.txt"
    letter, table, notes = tmp_path / "mails" / "1.eml", tmp_path / "postgres", tmp_path / "copy.json"
    table.mkdir()
    table.chmod(0o750)
    for path in (letter, notes, outside):
        path.write_text("a reset link")
        path.chmod(0o644)
    (tmp_path / "mails" / "link").symlink_to(outside)
    tmp_path.chmod(0o755)
    make_private(tmp_path)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path, letter.parent, letter, notes)}
    assert modes == {tmp_path.name: 0o700, "mails": 0o700, "1.eml": 0o600, "copy.json": 0o600}
    assert [stat.S_IMODE(path.stat().st_mode) for path in (outside, table)] == [0o644, 0o750]


def test_a_folder_that_others_share_or_that_no_copy_has_used_stays_as_it_is(tmp_path: Path) -> None:
    strange = tmp_path / "theirs.txt"
    strange.write_text("theirs")
    for path, mode in ((strange, 0o644), (tmp_path, 0o755)):
        path.chmod(mode)
    make_private(tmp_path)
    (tmp_path / "copy.json").write_text("{}")
    tmp_path.chmod(0o1777)
    make_private(tmp_path)
    assert [stat.S_IMODE(path.stat().st_mode) for path in (strange, tmp_path)] == [0o644, 0o1777]


@pytest.mark.parametrize("program", ["config.wsgi", "config.celery", "embedded.__main__"])
def test_what_a_program_of_ours_writes_is_its_owners_alone(program: str) -> None:
    """Exports, uploads and collected files through Django's storage, too, which would set a mode of its own."""
    check = f"""
import importlib, os, sys
os.umask(0o022)
module = importlib.import_module("{program}")
if hasattr(module, "main"):
    sys.argv, os.environ["PORT"] = ["embedded"], "none"
    module.main()
    os.environ["PORT"] = "8000"
from django.conf import settings
print(oct(os.umask(0)), oct(settings.FILE_UPLOAD_PERMISSIONS), oct(settings.FILE_UPLOAD_DIRECTORY_PERMISSIONS))
"""
    environment = {name: value for name, value in os.environ.items() if name != "SUPERVISED"}
    path = f"{ROOT}{os.pathsep}{ROOT / 'platform'}"
    environment |= {"PYTHONPATH": path, "DJANGO_SETTINGS_MODULE": "config.settings"}
    told = subprocess.run(
        [sys.executable, "-c", check], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert told.stdout.splitlines()[-1] == "0o77 0o600 0o700"
