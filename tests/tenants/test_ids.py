"""Ids read from the database are ordinary UUIDs."""

import copy
import pickle
from uuid import UUID

from django.db import connection

from tenants.actors import TenantRef

TEXT = "01a20173-4d02-737a-ab33-22b4a78afab3"


def test_ids_are_uuids_like_any_other(in_tenant: TenantRef) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::uuid, ARRAY[%s, NULL]::uuid[], NULL::uuid", [TEXT, TEXT])
        one, several, none = cursor.fetchone()
    assert one == UUID(TEXT)
    assert hash(one) == hash(UUID(TEXT))
    assert (str(one), one.version) == (TEXT, 7)
    assert pickle.loads(pickle.dumps(one)) == copy.deepcopy(one) == UUID(TEXT)
    assert several == [UUID(TEXT), None]
    assert none is None
