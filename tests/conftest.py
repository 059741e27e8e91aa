"""What every test can ask for. Each test is rolled back; two workspaces are always there, so that leaks show."""

import json
import logging
import os
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from uuid import UUID

import hypothesis
import pytest
from django.conf import settings as django_settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.core import mail
from django.core.cache import cache
from django.db import connections
from django.test import Client

from tenants.actors import Actor, TenantRef
from tests.chromium import browser, chromium  # noqa: F401
from tests.depth import examples
from tests.scheduling import ByUnit, hold_to_budget, longest_first, over_budget

# Playwright keeps an event loop in its thread from its first use on, in which Django would refuse every query.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

cluster = pytest.StashKey[ExitStack]()

FAST_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


def pytest_configure(config: pytest.Config) -> None:
    hypothesis.settings.register_profile(
        "rapport",
        deadline=None,
        max_examples=examples(40),
        suppress_health_check=[hypothesis.HealthCheck.function_scoped_fixture],
    )
    hypothesis.settings.load_profile("rapport")
    from embedded.postgres import running
    from tests.cluster import point_settings

    worker = getattr(config, "workerinput", {}).get("workerid", "main")
    if worker == "main" and not os.environ.get("DATABASE_ADMIN_URL"):
        stack = config.stash[cluster] = ExitStack()
        data = Path(django_settings.DATA)
        data.mkdir(parents=True, exist_ok=True)
        url = stack.enter_context(
            running(data / "test-postgres", durable=False, settings={"log_line_prefix": "%m [%p] %u %d "})
        )
        os.environ["DATABASE_ADMIN_URL"] = url
    point_settings(os.environ["DATABASE_ADMIN_URL"], worker)
    Path(django_settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    django_settings.PASSWORD_HASHERS = FAST_HASHERS
    # Each client has middleware of its own, and WhiteNoise's would go through all static files to know them beforehand.
    django_settings.WHITENOISE_AUTOREFRESH = True
    for noisy in ("rapport", "crm", "tenants", "api"):
        logging.getLogger(noisy).setLevel(logging.WARNING)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    longest_first(items)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Generator[None]:
    begun = time.process_time()
    yield
    hold_to_budget(item, time.process_time() - begun)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    return ByUnit(config, log)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if over := over_budget(terminalreporter.stats.get("passed", [])):
        terminalreporter.section("over a second, without a slow mark that says why")
        terminalreporter.write("".join(f"{line}\n" for line in over))


def pytest_unconfigure(config: pytest.Config) -> None:
    if cluster in config.stash:
        connections.close_all()
        config.stash[cluster].close()
        del os.environ["DATABASE_ADMIN_URL"]


@pytest.fixture(scope="session")
def the_cast(django_test_environment: None, django_db_blocker: Any) -> Any:
    from tests.cast import make_cast
    from tests.cluster import database_ready

    with django_db_blocker.unblock():
        database_ready(os.environ["DATABASE_ADMIN_URL"])
        made = make_cast()
        connections.close_all()
    return made


@pytest.fixture(scope="session")
def django_db_setup(the_cast: Any) -> None:
    """The database is ours, not the one that Django's own test runner would make."""


@pytest.fixture(scope="session")
def tenant_a(the_cast: Any) -> TenantRef:
    found: TenantRef = the_cast.tenant_a
    return found


@pytest.fixture(scope="session")
def tenant_b(the_cast: Any) -> TenantRef:
    found: TenantRef = the_cast.tenant_b
    return found


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    from crm.records.write.limits import counts
    from crm.workspace.configuration import kept

    cache.clear()
    # A test that is rolled back takes the metadata version, and what was counted, back with it.
    kept.clear()
    counts.clear()


@pytest.fixture(autouse=True)
def _links_of_mails() -> Iterator[None]:
    """Whatever mail a test sends, no link in it is empty or dead."""
    from tests.screens.links import mail_problems

    yield
    assert [problem for message in getattr(mail, "outbox", []) for problem in mail_problems(message)] == []


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in the background comes to its end in one turn, on however slow a machine."""
    for limit in (
        "crm.records.events.dispatch.TURN_SECONDS",
        "crm.records.jobs.jobs.TURN_SECONDS",
        "crm.records.tasks.TURN_SECONDS",
        "crm.records.events.timers.TURN_SECONDS",
        "crm.workspace.notifications.mailing.TURN_SECONDS",
        "tenants.work.turns.MESSAGE_SECONDS",
        "tenants.work.wakeups.TURN_SECONDS",
    ):
        monkeypatch.setattr(limit, 120)


@pytest.fixture
def as_tenant() -> Callable[[TenantRef], Any]:
    """``with as_tenant(ref):`` speaks for that workspace."""
    from tenants.db.scopes import tenant_scope

    return tenant_scope


@pytest.fixture
def in_tenant(db: None, tenant_a: TenantRef) -> Iterator[TenantRef]:
    """The test speaks for workspace A."""
    from tenants.db.scopes import tenant_scope

    with tenant_scope(tenant_a):
        yield tenant_a


@pytest.fixture
def actor_named(in_tenant: TenantRef, the_cast: Any) -> Callable[[str], Actor]:
    """The actor of a person of the cast, by name."""
    from crm.workspace.actors import actor_for_user
    from tenants.db.scopes import tenant_scope
    from tests.cast import PEOPLE_OF_B

    def named(name: str) -> Actor:
        tenant = the_cast.tenant_b if name in PEOPLE_OF_B else the_cast.tenant_a
        with tenant_scope(tenant):
            actor = actor_for_user(tenant, the_cast.users[name], "test-request")
        assert actor is not None
        return actor

    return named


@pytest.fixture
def owner(actor_named: Callable[[str], Actor]) -> Actor:
    return actor_named("owner")


@pytest.fixture
def admin(actor_named: Callable[[str], Actor]) -> Actor:
    return actor_named("admin")


@pytest.fixture
def manager(actor_named: Callable[[str], Actor]) -> Actor:
    return actor_named("manager")


@pytest.fixture
def seller(actor_named: Callable[[str], Actor]) -> Actor:
    """A member who may edit what is theirs."""
    return actor_named("seller")


@pytest.fixture
def seller_two(actor_named: Callable[[str], Actor]) -> Actor:
    return actor_named("seller_two")


@pytest.fixture
def reader(actor_named: Callable[[str], Actor]) -> Actor:
    return actor_named("reader")


@pytest.fixture
def outsider(actor_named: Callable[[str], Actor]) -> Actor:
    """The owner of workspace B."""
    return actor_named("outsider")


@pytest.fixture
def public_client(db: None) -> Client:
    """A browser on the public host, signed in nowhere."""
    from tenants.workspaces.hosts import public_url

    return Client(headers={"host": public_url("").partition("//")[2]})


@pytest.fixture
def browser_client() -> Callable[..., Client]:
    """``browser_client(actor)``: a browser on their workspace's host, signed in as them (``host=`` for another)."""
    from tenants.workspaces.hosts import tenant_host

    def signed_in(actor: Actor, host: str | None = None) -> Client:
        client = Client(headers={"host": host or tenant_host(actor.tenant)})
        client.cookies[django_settings.SESSION_COOKIE_NAME] = session_key(
            UUID(str(actor.details["user_id"])), actor.tenant
        )
        return client

    return signed_in


def session_key(user_id: UUID, tenant: TenantRef | None) -> str:
    """The key of a new session of the user on the workspace's host (None: on the public host)."""
    from tenants.db.scopes import shared
    from tenants.models import User
    from tenants.sessions import SessionStore

    with shared():
        user = User.objects.get(id=user_id)
        parent_key = None if tenant is None else session_key(user_id, None)
        session = SessionStore(tenant_id=None if tenant is None else tenant.id)
        session[SESSION_KEY] = str(user.pk)
        session[BACKEND_SESSION_KEY] = django_settings.AUTHENTICATION_BACKENDS[-1]
        session[HASH_SESSION_KEY] = user.get_session_auth_hash()
        if parent_key:
            session.hang_on(parent_key)
        session.save()
    assert session.session_key
    return session.session_key


class ApiClient:
    """Speaks JSON with a key: ``post(path, body)``; answers are Django's responses."""

    def __init__(self, key: str, host: str) -> None:
        self.client = Client(headers={"host": host, "authorization": f"Bearer {key}"})

    def get(self, path: str, **options: Any) -> Any:
        return self.client.get(path, **options)

    def delete(self, path: str, **options: Any) -> Any:
        return self.client.delete(path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._send(self.client.post, path, body, options)

    def patch(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._send(self.client.patch, path, body, options)

    def put(self, path: str, body: Any = None, **options: Any) -> Any:
        return self._send(self.client.put, path, body, options)

    def raw(self, method: str, path: str, body: bytes, content_type: str) -> Any:
        return self.client.generic(method, path, body, content_type=content_type)

    def _send(self, send: Any, path: str, body: Any, options: dict[str, Any]) -> Any:
        data = body if isinstance(body, str | bytes) else json.dumps({} if body is None else body, default=str)
        return send(path, data, **({"content_type": "application/json"} | options))


@pytest.fixture
def api(in_tenant: TenantRef) -> Callable[..., ApiClient]:
    """``api(actor, scopes=[…], host=…, limits={…})``: a program with a key the actor made; all scopes by default."""
    from dataclasses import replace

    from crm.workspace.permissions import EVERYTHING
    from tenants.accounts.api_keys import api_key_create
    from tenants.db.scopes import shared, tenant_scope
    from tenants.models import ApiKey, Tenant
    from tenants.workspaces.hosts import tenant_host

    def with_key(
        actor: Actor,
        scopes: list[str] | None = None,
        host: str | None = None,
        limits: dict[str, int] | None = None,
    ) -> ApiClient:
        from crm.records.schema.registry import registry

        if scopes is None:
            nouns = [record_type.slug for record_type in registry.all()] + ["member", "event", "settings"]
            scopes = [f"{noun}:{right}" for noun in nouns for right in ("read", "write")]
        with shared():
            if limits is not None:
                Tenant.objects.filter(id=actor.tenant.id).update(limits=limits)
        secret = make_key(actor, scopes)
        return ApiClient(secret, host or tenant_host(actor.tenant))

    def make_key(actor: Actor, scopes: list[str]) -> str:
        with tenant_scope(actor.tenant):
            # Whoever may make keys now may lose that right later; the key lives on with what their role allows then.
            key, secret = api_key_create(replace(actor, permissions=EVERYTHING), name="Test", scopes=scopes)
        with shared():
            assert ApiKey.objects.filter(id=key.id).exists()
        return secret

    return with_key


@pytest.fixture
def owner_alias(db: None, the_cast: Any) -> Iterator[None]:
    """The owner's connection, not rolled back: for sign-up and migrations. The next that asks drops what was made."""
    from tenants.workspaces.schema_template import schema_drop
    from tests.cluster import schemas

    connection = connections["owner"]
    shut = {
        name: vars(connection).pop(name) for name in ("connect", "temporary_connection", "cursor", "chunked_cursor")
    }

    def ensure_connection() -> None:
        if connection.connection is None:
            with connection.wrap_database_errors:
                connection.connect()

    connection.ensure_connection = ensure_connection  # type: ignore[method-assign]
    try:
        for schema in schemas() - {the_cast.tenant_a.schema_name, the_cast.tenant_b.schema_name}:
            schema_drop(schema)
        yield
    finally:
        connection.close()
        del vars(connection)["ensure_connection"]
        vars(connection).update(shut)


@pytest.fixture
def celery_eager(settings: Any) -> Iterator[None]:
    """Tasks run at once, where they are sent."""
    from config.celery import app

    before = app.conf.task_always_eager, app.conf.task_eager_propagates
    app.conf.task_always_eager = app.conf.task_eager_propagates = True
    yield
    app.conf.task_always_eager, app.conf.task_eager_propagates = before
