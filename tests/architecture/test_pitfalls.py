"""What was found to lead across the walls, each looked for in the code itself."""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings

ROOT = Path(settings.ROOT)
FOLDERS = ("tenants", "billing", "crm", "api", "platform")

# Who may speak in the shared schema. A request needs it before its tenant is known; the rest are services that keep
# shared rows in step with a workspace's.
MAY_CALL_SHARED = {
    "billing/accounts/services.py",
    "billing/checkout/changes.py",
    "billing/checkout/hosted.py",
    "billing/clock.py",
    "billing/accounts/contact.py",
    "billing/accounts/granting.py",
    "billing/sweeps/lifecycle.py",
    "billing/mails/outbox.py",
    "billing/mails/letters.py",
    "billing/accounts/manual.py",
    "billing/mails/notices.py",
    "billing/outgoing.py",
    "billing/plans/catalog.py",
    "billing/plans/prices.py",
    "billing/sweeps/reconcile.py",
    "billing/checkout/seat_sales.py",
    "billing/subscriptions/seat_sync.py",
    "billing/selectors.py",
    "billing/subscriptions/sync.py",
    "billing/checkout/upcoming.py",
    "billing/webhooks.py",
    "crm/activities/management/commands/places_mend.py",
    "crm/sales/sample/demo.py",
    "crm/sales/sample/loading.py",
    "crm/workspace/actors.py",
    "crm/workspace/people/member_services.py",
    "platform/console/demo.py",
    "platform/console/management/commands/operator_add.py",
    "platform/embedded/demo_payments.py",
    "tenants/workspaces/announcements.py",
    "tenants/accounts/api_keys.py",
    "tenants/workspaces/entitlements.py",
    "tenants/workspaces/finishing.py",
    "tenants/web/health.py",
    "tenants/management/commands/second_factor_reset.py",
    "tenants/web/middleware.py",
    "tenants/workspaces/address_change.py",
    "tenants/workspaces/provisioning.py",
    "tenants/sessions.py",
    "tenants/workspaces/settings.py",
    "tenants/accounts/signup.py",
    "tenants/workspaces/support.py",
    "tenants/accounts/support_ends.py",
    "tenants/work/task_classes.py",
    "tenants/web/tenant_views.py",
    "tenants/work/wakeups.py",
}
# Who may open a schema as the owner of all tables.
MAY_SPEAK_AS_OWNER = {
    "tenants/db/scopes.py",
    "tenants/workspaces/schema_template.py",
    "tenants/workspaces/fleet.py",
    "tenants/management/commands/migrate_all.py",
}


def sources() -> Iterator[tuple[str, str]]:
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield str(path.relative_to(ROOT)), path.read_text()


@cache
def trees() -> list[tuple[str, ast.Module]]:
    return [(name, ast.parse(text)) for name, text in sources()]


def called(tree: ast.AST) -> Iterator[tuple[str, ast.Call]]:
    """Each call with the last word of what is called."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Call):
            match node.func:
                case ast.Name(id=name) | ast.Attribute(attr=name):
                    yield name, node


def strings(tree: ast.AST) -> Iterator[str]:
    """Every string that is no docstring."""
    documentation = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in documentation:
            yield node.value


def test_shared_is_called_by_those_on_the_list_only():
    callers = {name for name, tree in trees() if any(word == "shared" for word, _call in called(tree))}
    assert callers == MAY_CALL_SHARED


def test_the_owners_connection_is_used_by_those_on_the_list_only():
    callers = {name for name, tree in trees() if any(word == "owner_scope" for word, _call in called(tree))}
    assert callers - MAY_SPEAK_AS_OWNER == set()


def test_nobody_enters_a_tenant_itself():
    """``with tenant:`` keeps its stack in the class: two threads would take each other's tenant."""
    tenants = {"tenant", "ref", "workspace", "tenant_ref"}
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.With):
                for item in node.items:
                    found = item.context_expr
                    word = found.id if isinstance(found, ast.Name) else getattr(found, "attr", "")
                    assert word not in tenants, f"{name}:{node.lineno}"


FORBIDDEN_CALLS = {
    "clone_schema",
    "CloneSchema",
    "set_tenant",
    "set_schema_to_public",
    "schema_context",
    "tenant_context",
    "activate_tenant",
    "get_tenant_model",
}


def test_django_tenants_own_switches_are_not_used():
    for name, tree in trees():
        if name == "tenants/db/backend/base.py":
            continue
        for word, call in called(tree):
            assert word not in FORBIDDEN_CALLS, f"{name}:{call.lineno} {word}"


RAW_SWITCH = re.compile(
    r"\b(SET\s+(SESSION\s+|LOCAL\s+)?(search_path|ROLE)\b|RESET\s+(ROLE|ALL|search_path)|DISCARD\s|SET\s+SESSION\s+AUTH|set_config)",
    re.IGNORECASE,
)
MAY_SAY_SET = {"tenants/db/backend/base.py", "tenants/db/grants.py"}


def test_nobody_sets_path_or_role_by_hand():
    for name, tree in trees():
        if name not in MAY_SAY_SET:
            for text in strings(tree):
                assert not RAW_SWITCH.search(text), f"{name}: {text}"


# Functions that are kept for the life of a process though they hold nothing of a tenant.
MAY_REMEMBER = {
    "tenants/web/health.py",
    "tenants/workspaces/schema_template.py",
}


def test_nothing_of_a_tenant_is_remembered_by_the_process():
    """A cache on a function or class is everybody's. One that holds code or settings only is put on the list."""
    for name, tree in trees():
        if name in MAY_REMEMBER or name.startswith("platform/"):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    words = {part.id for part in ast.walk(decorator) if isinstance(part, ast.Name)}
                    words |= {part.attr for part in ast.walk(decorator) if isinstance(part, ast.Attribute)}
                    remembers = words & {"lru_cache", "cache"}
                    needs_nothing = not node.args.args and not node.args.kwonlyargs
                    assert not remembers or needs_nothing or _takes_code_only(node), f"{name}:{node.lineno} {node.name}"


CODE_TYPES = {
    "str",
    "int",
    "bool",
    "tuple",
    "type",
    "Model",
    "Trashed",
    "ViewScopes",
    "frozenset",
    "RecordType",
    "Locale",
    "Field",
    "Kind",
    "Path",
}


def _takes_code_only(function: ast.FunctionDef) -> bool:
    """Whether each argument is declared as something that code holds, such as a record type, not rows."""
    for argument in [*function.args.args, *function.args.kwonlyargs]:
        words = {part.id for part in ast.walk(argument.annotation or argument) if isinstance(part, ast.Name)}
        if not words or not words <= CODE_TYPES:
            return False
    return True


def test_no_cookie_is_for_the_whole_domain():
    for setting in ("SESSION_COOKIE_DOMAIN", "CSRF_COOKIE_DOMAIN", "LANGUAGE_COOKIE_DOMAIN"):
        assert getattr(settings, setting) is None
    for name, tree in trees():
        for word, call in called(tree):
            if word in ("set_cookie", "set_signed_cookie"):
                assert "domain" not in {keyword.arg for keyword in call.keywords}, f"{name}:{call.lineno}"


def test_every_app_is_shared_or_a_tenants_never_both():
    assert set(settings.SHARED_APPS) & set(settings.TENANT_APPS) == set()
    assert set(settings.INSTALLED_APPS) == set(settings.SHARED_APPS) | set(settings.TENANT_APPS)
    for config in apps.get_app_configs():
        assert (config.name in settings.SHARED_APPS) != (config.name in settings.TENANT_APPS), config.name


def test_what_is_about_accounts_is_shared():
    for name in ("django.contrib.contenttypes", "django.contrib.auth"):
        assert name in settings.SHARED_APPS


def is_shared(model: Any) -> bool:
    return apps.get_app_config(model._meta.app_label).name in settings.SHARED_APPS


def test_no_foreign_key_crosses():
    for model in apps.get_models(include_auto_created=True):
        for field in model._meta.get_fields():
            if field.is_relation and field.related_model and not isinstance(field.related_model, str):
                assert is_shared(model) == is_shared(field.related_model), field


def test_tenants_models_are_stamped_and_keyed_by_uuid():
    from django.db.models import UUIDField
    from django.db.models.functions import UUID7

    from tenants.db.stamped import StampedModel

    for model in apps.get_models():
        if not is_shared(model):
            assert issubclass(model, StampedModel), model
            assert isinstance(model._meta.pk, UUIDField), model
            assert isinstance(model._meta.pk.db_default, UUID7), model


def test_rows_remember_the_schema_they_came_from():
    """A manager of its own would leave the queryset that checks the stamps."""
    from tenants.db.stamped import StampedQuerySet

    for model in apps.get_models():
        if not is_shared(model):
            assert isinstance(model._default_manager.all(), StampedQuerySet), model


@pytest.mark.parametrize("urlconf", [settings.ROOT_URLCONF, settings.TENANT_URLCONF, settings.API_URLCONF])
def test_every_address_says_who_may_use_it(urlconf):
    from tenants.web.access import declared
    from tests.isolation.routes import routes

    found = routes(urlconf)
    assert found
    assert [route.path for route in found if declared(route.view) is None] == []


def test_pages_for_members_are_on_the_workspaces_host_only():
    from tenants.web.access import MEMBER, OPERATOR, PUBLIC, SIGNED_IN, Needs, declared
    from tests.isolation.routes import routes

    for route in routes(settings.ROOT_URLCONF):
        assert declared(route.view) in (PUBLIC, SIGNED_IN, OPERATOR), route.path
        assert (declared(route.view) is OPERATOR) == route.path.startswith("console/"), route.path
    for route in routes(settings.TENANT_URLCONF):
        assert declared(route.view) not in (SIGNED_IN, OPERATOR), route.path
    assert isinstance(declared(routes(settings.TENANT_URLCONF)[-1].view), Needs)
    assert any(declared(route.view) is MEMBER for route in routes(settings.TENANT_URLCONF))


# Who may begin a session. On the public host there is one way in, so that nothing gets round the second factor.
MAY_SIGN_IN = {"tenants/accounts/sign_in.py", "tenants/web/tenant_views.py"}
SIGN_INS = {"login", "django_login", "perform_login", "perform_password_login", "resume_login", "alogin"}


def test_sessions_begin_in_one_place():
    callers = {name for name, tree in trees() if any(word in SIGN_INS for word, _call in called(tree))}
    assert callers == MAY_SIGN_IN
    aliased = {name for name, text in sources() if re.search(r"auth import .*login as|SESSION_KEY\] =", text)}
    assert aliased == set()


WRITES = {
    "save",
    "create",
    "bulk_create",
    "delete",
    "update",
    "bulk_update",
    "get_or_create",
    "update_or_create",
    "raw",
}


def record_models() -> set[str]:
    from crm.records.models import Record

    return {model.__name__ for model in apps.get_models() if issubclass(model, Record)}


def test_records_are_written_by_the_gate_only():
    """``Deal.objects.create``, ``Deal(…).save()``, ``Deal.objects.filter(…).update()`` elsewhere go past its rules."""
    models = record_models()
    assert "Deal" in models
    for name, tree in trees():
        for word, call in called(tree):
            if word in WRITES and isinstance(call.func, ast.Attribute):
                held = {part.id for part in ast.walk(call.func.value) if isinstance(part, ast.Name)}
                assert not held & models, f"{name}:{call.lineno} {word}"


def test_nobody_goes_to_the_last_step_of_the_gate_past_its_checks():
    users = {name for name, text in sources() if "crm.records.write.saving" in text or "write import saving" in text}
    assert users == {"crm/records/write/gate.py"}


MAY_SPEAK_TO_STRIPE = {"billing/stripe_client.py"}
# Who asks the machine what time it is: idempotency keys live by that, however far billing's clock was moved.
MAY_ASK_THE_MACHINE = {"billing/clock.py", "billing/outgoing.py"}


def test_stripes_library_is_used_in_one_place():
    users = {
        name
        for name, text in sources()
        if re.search(r"^\s*(import stripe\b|from stripe\b)", text, re.M) and "embedded/stripe/" not in name
    }
    assert users == MAY_SPEAK_TO_STRIPE


def test_billing_asks_its_own_clock():
    askers = {name for name, text in sources() if name.startswith("billing/") and "timezone.now" in text}
    assert askers == MAY_ASK_THE_MACHINE


def test_no_signals():
    """But Celery's own of its processes, which know no tenant."""
    for name, text in sources():
        assert "django.dispatch" not in text, name
        assert "django.db.models.signals" not in text, name


def test_locks_by_a_name_are_taken_in_one_place():
    """But that on a schema which is upgraded, which outlives transactions, and that in SQL of the database's own."""
    takers = {name for name, text in sources() if "advisory" in text and "pg_" in text}
    assert takers == {"tenants/db/locks.py", "tenants/workspaces/fleet.py", "tenants/db/grants.py"}


def test_no_code_of_ours_is_called_by_a_path_in_a_string():
    """A floor calls what a higher one has registered with it, see tenants.registration: an editor finds every usage."""
    for name, text in sources():
        assert "import_string" not in text, name


def test_every_task_says_for_whom_it_speaks():
    for name, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef):
                for decorator in node.decorator_list:
                    word = decorator.func if isinstance(decorator, ast.Call) else decorator
                    if isinstance(word, ast.Name) and word.id == "shared_task":
                        bases = [
                            keyword.value for keyword in getattr(decorator, "keywords", []) if keyword.arg == "base"
                        ]
                        assert bases, f"{name}:{node.lineno} {node.name}"
                        assert ast.unparse(bases[0]) in ("TenantTask", "SharedTask"), f"{name}:{node.lineno}"


def test_a_process_of_the_release_before_can_still_write_beside_ours():
    """A column that comes to a table later takes no value, or has one in the database."""
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.operations import AddField

    loader = MigrationLoader(None)
    state = loader.project_state()
    wrong = []
    for (label, name), migration in sorted(loader.disk_migrations.items()):
        if not str(apps.get_app_config(label).path).startswith(str(ROOT)):
            continue
        for operation in migration.operations:
            model = state.models.get((label, getattr(operation, "model_name_lower", "")))
            if not isinstance(operation, AddField) or model is None or operation.name not in model.fields:
                continue
            field = model.fields[operation.name]
            if not (field.null or field.has_db_default() or field.many_to_many or _made_in(migration, operation)):
                wrong.append(f"{label}.{name}: {operation.model_name}.{operation.name}")
    assert not wrong


def _made_in(migration: Any, operation: Any) -> bool:
    """Whether the table itself comes with this migration."""
    from django.db.migrations.operations import CreateModel

    return any(
        isinstance(one, CreateModel) and one.name_lower == operation.model_name_lower for one in migration.operations
    )


def test_no_redirect_to_another_address_is_for_ever():
    """Browsers remember a permanent one, also after the address was taken back."""
    lasting = [
        function.name
        for _name, tree in trees()
        for function in ast.walk(tree)
        if isinstance(function, ast.FunctionDef)
        for word, call in called(function)
        if word == "HttpResponsePermanentRedirect"
        or any(one.arg == "permanent" and getattr(one.value, "value", True) for one in call.keywords)
        or any(one.arg == "status" and getattr(one.value, "value", 0) in (301, 308) for one in call.keywords)
    ]
    assert lasting == []
