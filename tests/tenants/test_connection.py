"""The connection speaks for one tenant, or not at all."""

import pytest
from django.db import connection

from tenants.scopes import NoScope, shared, tenant_scope


@pytest.mark.django_db
def test_without_a_scope_nothing_runs():
    with pytest.raises(NoScope), connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def test_cast_is_there(owner, outsider, reader):
    assert owner.tenant != outsider.tenant
