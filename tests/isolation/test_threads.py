"""Threads that change tenants all the time, with failures and savepoints in between, never hear of another's."""

import random
import threading
from collections import Counter

import pytest
from django.db import DatabaseError, connection, connections, transaction

from crm.workspace.models import Member, Role
from tenants.db.database_roles import role_of
from tenants.db.scopes import current_schema, shared, tenant_scope
from tenants.models import User

THREADS = 8
ROUNDS = 600


class Failed(Exception):
    pass


class Switcher:
    """One thread's walk: every step says who must be seen, and looks."""

    def __init__(self, seed: int, members, users) -> None:
        self.random = random.Random(seed)
        self.members, self.users = members, users
        self.looks: Counter[str] = Counter()

    def look(self, ref) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_schema(), current_user")
            assert cursor.fetchone() == (ref.schema_name, role_of(ref.schema_name))
        assert set(Member.objects.values_list("id", flat=True)) == self.members[ref.id]
        self.looks[ref.schema_name] += 1

    def look_shared(self) -> None:
        with shared():
            assert set(User.objects.filter(id__in=self.users).values_list("id", flat=True)) == self.users

    def step(self, ref, other) -> None:
        match self.random.randrange(10):
            case 0:
                self.look(ref)
            case 1:
                self.look_shared()
                self.look(ref)
            case 2:
                with tenant_scope(other):
                    self.look(other)
                self.look(ref)
            case 3:
                try:
                    connection.cursor().execute("SELECT * FROM no_such_table")
                except DatabaseError:
                    self.look(ref)
            case 4:
                try:
                    with transaction.atomic(), tenant_scope(other):
                        self.look(other)
                        raise Failed
                except Failed:
                    self.look(ref)
            case 5:
                with transaction.atomic():
                    self.look(ref)
                    try:
                        with transaction.atomic(), tenant_scope(other):
                            self.look(other)
                            Role.objects.create(slug="gone", name="gone")
                            connection.cursor().execute("SELECT 1/0")
                    except DatabaseError:
                        self.look(ref)
                    self.look_shared()
                    self.look(ref)
            case 6:
                with transaction.atomic():
                    sid = transaction.savepoint()
                    with tenant_scope(other):
                        self.look(other)
                        transaction.savepoint_rollback(sid)
                        self.look(other)
                    self.look(ref)
            case 7:
                connection.close()
                self.look(ref)
            case 9:
                with transaction.atomic():
                    self.look(ref)
                    transaction.set_rollback(True)
                self.look(ref)
            case 8:
                with transaction.atomic():
                    with tenant_scope(other):
                        self.look(other)
                    transaction.set_rollback(True)
                self.look(ref)


@pytest.mark.slow("changes tenants thousands of times")
def test_eight_threads_change_tenants_thousands_of_times(tenant_a, tenant_b, django_db_blocker, the_cast):
    with django_db_blocker.unblock():
        members = {}
        for ref in (tenant_a, tenant_b):
            with tenant_scope(ref):
                members[ref.id] = set(Member.objects.values_list("id", flat=True))
        assert not members[tenant_a.id] & members[tenant_b.id]
        problems: list[BaseException] = []
        looks: Counter[str] = Counter()

        def walk(seed: int) -> None:
            switcher = Switcher(seed, members, set(the_cast.users.values()))
            try:
                for _ in range(ROUNDS):
                    ref, other = switcher.random.sample((tenant_a, tenant_b), 2)
                    with tenant_scope(ref):
                        switcher.step(ref, other)
            except BaseException as problem:
                problems.append(problem)
            finally:
                looks.update(switcher.looks)
                connections.close_all()

        threads = [threading.Thread(target=walk, args=(seed,)) for seed in range(THREADS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        connections.close_all()
    assert not problems, problems[0]
    assert sum(looks.values()) > THREADS * ROUNDS
    assert min(looks[ref.schema_name] for ref in (tenant_a, tenant_b)) > THREADS * ROUNDS / 3


def test_a_new_thread_speaks_for_nobody(tenant_a, django_db_blocker):
    seen: list[str | None] = []
    with django_db_blocker.unblock(), tenant_scope(tenant_a):
        thread = threading.Thread(target=lambda: seen.append(current_schema()))
        thread.start()
        thread.join()
    assert seen == [None]
