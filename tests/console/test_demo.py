"""The operator of a copy that runs on one machine."""

import pyotp
import pytest
from django.test import Client
from django.utils import timezone

from console.demo import demo_operator_ensure
from tenants.db.scopes import shared
from tenants.models import Totp, User
from tenants.workspaces.hosts import public_url

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(tenant_a):
    return demo_operator_ensure()


def test_with_what_is_told_one_signs_in_to_the_console(told, public_client: Client):
    client = public_client
    values = {"email": told["operator_email"], "password": told["operator_password"], "next": "/console/"}
    assert client.post("/signin/", values)["Location"] == "/signin/second/"
    code = pyotp.TOTP(told["operator_totp"]).at(timezone.now())
    assert client.post("/signin/second/", {"with": "totp", "code": code})["Location"] == "/console/"
    assert client.get("/console/").status_code == 200
    assert told["console_url"] == public_url("/console/")


def test_the_next_start_tells_the_same(told):
    with shared():
        before = User.objects.get(email=told["operator_email"]).password
    assert demo_operator_ensure(told) == told
    with shared():
        assert User.objects.get(email=told["operator_email"]).password == before


def test_where_the_file_was_lost_there_are_new_secrets(told):
    again = demo_operator_ensure({})
    assert again["operator_password"] != told["operator_password"]
    assert again["operator_totp"] != told["operator_totp"]
    with shared():
        assert Totp.objects.filter(user__email=told["operator_email"], confirmed_at__isnull=False).count() == 1
        assert User.objects.get(email=told["operator_email"]).check_password(again["operator_password"])


def test_no_two_copies_share_a_secret(told):
    assert len(told["operator_password"]) >= 20
    assert len(told["operator_totp"]) == 32
