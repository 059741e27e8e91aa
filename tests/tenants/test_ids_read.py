from uuid import uuid4

import pytest

from tenants.ids import id_of

ID = uuid4()


def test_an_id_is_read_as_it_is_and_as_it_is_spelled():
    assert id_of(ID) == id_of(str(ID)) == id_of(str(ID).upper()) == ID


@pytest.mark.parametrize("value", ["", "me", "7", "{", "\x00", "1" * 5000, None, 7, ["a"]])
def test_what_is_no_id_is_none(value):
    assert id_of(value) is None
