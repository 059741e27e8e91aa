"""The one place that speaks to Stripe."""

import logging

import pytest
import stripe

from billing.money import Money
from billing.stripe_client import API_VERSION, signature_time
from billing.stripe_reads import customers_with_email
from billing.stripe_writes import OPERATIONS


def test_the_version_is_the_one_that_the_library_is_made_for():
    """Its types are of that version: when the library goes on, this says so before Stripe does."""
    assert stripe.api_version == API_VERSION


def test_a_write_is_known_by_its_name():
    assert {name: one.name for name, one in OPERATIONS.items()} == {name: name for name in OPERATIONS}


def test_coins_of_each_currency():
    assert Money.of_coins(12345, "eur") == Money.of_coins(12345, "EUR")
    assert str(Money.of_coins(12345, "eur").amount) == "123.45"
    assert str(Money.of_coins(500, "jpy").amount) == "500"
    assert Money.of_coins(12345, "gbp").coins == 12345


def test_the_time_of_a_signature():
    assert signature_time("t=12,v1=ab") == 12
    assert signature_time("v1=ab") is None
    assert signature_time("t=1,t=2,v1=ab") is None
    assert signature_time("t=²,v1=ab") is None


def test_no_address_of_a_customer_is_in_a_log(billing, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    assert customers_with_email("mara@lindenhof.example") == []
    assert billing.requests
    assert "lindenhof" not in caplog.text
