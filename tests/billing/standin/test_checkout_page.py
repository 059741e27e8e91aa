"""The hosted checkout, as the person sees it who pays: by plain requests, what it shows and what it leads to."""

from typing import Any

import pytest

from tests.billing.standin.browsing import ASKS_BANK, CARD, DECLINED, FAILS_LATER, PERSON, Shown, visit
from tests.billing.standin.recording import Api, api

RETURN = "http://rapport.test/return/"


@pytest.fixture
def stripe_api(stripe_server: Any) -> Api:
    return api("sk_test_checkout_of_the_standin", stripe_server.url)


@pytest.fixture
def customer(stripe_api: Api) -> Any:
    return stripe_api.v1.customers.create({"email": "billing@rapport.test", "name": "Nordlicht <b>GmbH</b>"})


@pytest.fixture
def price(stripe_api: Api) -> Any:
    product = stripe_api.v1.products.create({"name": "Team"})
    return stripe_api.v1.prices.create(
        {"product": product.id, "currency": "eur", "unit_amount": 2900, "recurring": {"interval": "month"}}
    )


@pytest.fixture
def session(stripe_api: Api, customer: Any, price: Any) -> Any:
    return stripe_api.v1.checkout.sessions.create(
        {
            "mode": "subscription",
            "customer": customer.id,
            "line_items": [{"price": price.id, "quantity": 3}],
            "success_url": RETURN + "?session={CHECKOUT_SESSION_ID}",
            "cancel_url": "http://rapport.test/cancelled/",
            "allow_promotion_codes": True,
            "tax_id_collection": {"enabled": True},
            "customer_update": {"address": "auto", "name": "auto"},
        }
    )


def pay(session: Any, **changes: str) -> Shown:
    return visit(session.url, {"action": "pay", **CARD, **PERSON, **changes})


def subscriptions(stripe_api: Api, customer: Any) -> list[str]:
    found = stripe_api.v1.subscriptions.list({"customer": customer.id, "status": "all"}).data
    return [one.status for one in found]


def test_it_shows_what_is_bought_and_that_it_is_a_test(session: Any) -> None:
    shown = visit(session.url)
    assert shown.status == 200
    for text in ("TEST", "Team", "€87.00", "billing@rapport.test", "http://rapport.test/cancelled/"):
        assert text in shown.text


def test_what_customers_are_called_is_never_markup(session: Any) -> None:
    body = visit(session.url).body.decode()
    assert "&lt;b&gt;GmbH&lt;/b&gt;" in body
    assert "<b>GmbH" not in body


def test_its_pages_run_no_script_and_are_kept_nowhere(session: Any) -> None:
    headers = visit(session.url).headers
    assert headers["content-security-policy"].startswith("default-src 'none'; style-src 'self'")
    assert headers["cache-control"] == "no-store"


def test_a_fault_of_its_own_is_a_page_without_details_and_stands_in_its_log(
    stripe_server: Any, session: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    store = stripe_server.server.store
    with store.transaction():
        whole = store.get("checkout.session", session.id)
        store.put(whole | {"currency": None})
    shown = visit(session.url)
    assert (shown.status, shown.text) == (500, "Something went wrong in the stand-in: see its log.")
    assert shown.headers["content-security-policy"].startswith("default-src 'none'")
    assert "Traceback" in capsys.readouterr().err


def test_it_answers_to_names_of_this_machine_only(session: Any) -> None:
    assert visit(session.url, host="rebound.example").status == 404


def test_no_page_elsewhere_can_pay_here(stripe_api: Api, customer: Any, session: Any) -> None:
    form = {"action": "pay", **CARD, **PERSON}
    assert visit(session.url, form, headers={"Sec-Fetch-Site": "cross-site"}).status == 403
    assert subscriptions(stripe_api, customer) == []
    assert visit(session.url, form, headers={"Sec-Fetch-Site": "same-origin"}).status == 303


def test_a_form_with_countless_fields_is_not_read(session: Any) -> None:
    assert visit(session.url, {f"field{number}": "x" for number in range(60)}).status == 400


def test_a_good_card_pays_and_leads_back(stripe_api: Api, customer: Any, session: Any) -> None:
    paid = pay(session)
    assert (paid.status, paid.location) == (303, f"{RETURN}?session={session.id}")
    found = stripe_api.v1.checkout.sessions.retrieve(session.id)
    assert (found.status, found.payment_status) == ("complete", "paid")
    assert subscriptions(stripe_api, customer) == ["active"]
    changed = stripe_api.v1.customers.retrieve(customer.id)
    assert (changed.name, changed.address.city, changed.address.country) == ("Jutta Köln", "Köln", "DE")


def test_paying_twice_buys_once(stripe_api: Api, customer: Any, session: Any) -> None:
    assert pay(session).location == pay(session).location
    assert subscriptions(stripe_api, customer) == ["active"]


def test_a_paid_checkout_opened_again_leads_back(session: Any) -> None:
    pay(session)
    assert visit(session.url).location.startswith(RETURN)


def test_a_declined_card_says_so_and_another_one_pays(stripe_api: Api, customer: Any, session: Any) -> None:
    declined = pay(session, number=DECLINED)
    assert (declined.status, "Your card was declined." in declined.text) == (402, True)
    assert subscriptions(stripe_api, customer) == []
    assert pay(session).status == 303
    assert subscriptions(stripe_api, customer) == ["active"]


def test_a_card_that_no_charge_goes_through_is_declined_here(session: Any) -> None:
    assert pay(session, number=FAILS_LATER).status == 402


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"number": ""}, "Enter a card number."),
        ({"number": "4111 1111 1111 1111"}, "test cards only"),
        ({"expiry": "13 / 34"}, "Enter month and year"),
        ({"expiry": "01 / 20"}, "This card has expired."),
        ({"cvc": "12"}, "Enter the 3 digits"),
        ({"name": " "}, "Enter a name."),
        ({"country": ""}, "Choose a country."),
        ({"country": "Mars"}, "Choose a country from the list."),
        ({"tax_id": "FR123"}, "A VAT ID of this country begins with DE."),
        ({"tax_id": "DE!"}, "This is no tax ID of this country."),
        ({"country": "BR", "tax_id": "1"}, "No tax ID of this country is known here."),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_is_wrong_is_said_at_its_field(
    stripe_api: Api, customer: Any, session: Any, changes: dict[str, str], said: str
) -> None:
    shown = pay(session, **changes)
    assert shown.status == 422
    assert said in shown.text
    assert f'aria-describedby="{[*changes][-1]}-error"' in shown.text
    assert subscriptions(stripe_api, customer) == []


def test_a_vat_id_is_kept_with_the_customer(stripe_api: Api, customer: Any, session: Any) -> None:
    pay(session, tax_id="de 123456789")
    found = stripe_api.v1.customers.tax_ids.list(customer.id).data
    assert [(one.type, one.value) for one in found] == [("eu_vat", "DE123456789")]


def code_make(stripe_api: Api) -> Any:
    coupon = stripe_api.v1.coupons.create({"percent_off": 50, "duration": "once"})
    return stripe_api.v1.promotion_codes.create(
        {"promotion": {"type": "coupon", "coupon": coupon.id}, "code": "HALF", "max_redemptions": 1}
    )


def test_a_promotion_code_makes_it_cheaper(stripe_api: Api, customer: Any, session: Any) -> None:
    code_make(stripe_api)
    applied = visit(session.url, {"action": "promotion", "code": "half"})
    assert (applied.status, applied.location) == (303, f"/c/pay/{session.id}")
    assert "€43.50" in visit(session.url).text
    pay(session)
    found = stripe_api.v1.invoices.list({"customer": customer.id}).data
    assert [one.amount_paid for one in found] == [4350]


def test_an_unknown_promotion_code_is_refused_at_its_field(session: Any) -> None:
    shown = visit(session.url, {"action": "promotion", "code": "NONE"})
    assert (shown.status, "This code is invalid." in shown.text, 'value="NONE"' in shown.text) == (400, True, True)


def test_a_code_used_up_meanwhile_is_refused_and_nothing_is_done(
    stripe_api: Api, customer: Any, price: Any, session: Any
) -> None:
    code = code_make(stripe_api)
    visit(session.url, {"action": "promotion", "code": "HALF"})
    other = stripe_api.v1.customers.create({"email": "other@rapport.test"})
    stripe_api.v1.payment_methods.attach("pm_card_visa", {"customer": other.id})
    method = stripe_api.v1.payment_methods.list({"customer": other.id}).data[0].id
    stripe_api.v1.subscriptions.create(
        {
            "customer": other.id,
            "items": [{"price": price.id}],
            "discounts": [{"promotion_code": code.id}],
            "default_payment_method": method,
        }
    )
    refused = pay(session, tax_id="DE123456789")
    assert (refused.status, "cannot be redeemed" in refused.text) == (400, True)
    assert stripe_api.v1.customers.retrieve(customer.id).name == "Nordlicht <b>GmbH</b>"
    assert stripe_api.v1.customers.tax_ids.list(customer.id).data == []
    assert "€87.00" in visit(session.url).text
    assert pay(session).status == 303


def test_a_price_withdrawn_meanwhile_is_said_to_be(stripe_api: Api, price: Any, session: Any) -> None:
    stripe_api.v1.prices.update(price.id, {"active": False})
    for shown in (visit(session.url), pay(session)):
        assert (shown.status, "The price specified is inactive." in shown.text) == (400, True)


def test_the_banks_question_is_answered_with_yes(stripe_api: Api, customer: Any, session: Any) -> None:
    asked = pay(session, number=ASKS_BANK)
    assert (asked.status, asked.location) == (303, f"/c/pay/{session.id}/authenticate")
    assert subscriptions(stripe_api, customer) == []
    question = visit(f"{session.url}/authenticate")
    assert "€87.00" in question.text
    assert "ending in 3155" in question.text
    assert visit(f"{session.url}/authenticate", {"answer": "succeed"}).location.startswith(RETURN)
    assert subscriptions(stripe_api, customer) == ["active"]


def test_the_banks_question_is_answered_with_no(stripe_api: Api, customer: Any, session: Any) -> None:
    pay(session, number=ASKS_BANK)
    refused = visit(f"{session.url}/authenticate", {"answer": "fail"})
    assert (refused.status, "unable to authenticate" in refused.text) == (402, True)
    assert subscriptions(stripe_api, customer) == []
    assert pay(session).status == 303


def test_the_banks_question_left_open_leaves_the_checkout_open(stripe_api: Api, customer: Any, session: Any) -> None:
    pay(session, number=ASKS_BANK)
    assert stripe_api.v1.checkout.sessions.retrieve(session.id).status == "open"
    assert subscriptions(stripe_api, customer) == []
    assert visit(session.url).status == 200


def test_no_question_waits_before_a_card_was_given(session: Any) -> None:
    assert visit(f"{session.url}/authenticate").location == f"/c/pay/{session.id}"


def test_an_expired_checkout_says_so_and_takes_nothing(stripe_api: Api, customer: Any, session: Any) -> None:
    stripe_api.v1.checkout.sessions.expire(session.id)
    for shown in (visit(session.url), pay(session)):
        assert shown.status == 410
        assert "This checkout has expired" in shown.text
        assert "http://rapport.test/cancelled/" in shown.text
    assert subscriptions(stripe_api, customer) == []


@pytest.mark.parametrize("path", ["/c/pay/cs_test_none", "/c/pay/", "/c/pay/cs_test_none/authenticate", "/nowhere"])
def test_there_is_nothing_elsewhere(stripe_server: Any, path: str) -> None:
    assert visit(f"{stripe_server.url}{path}").status == 404


def test_another_kind_of_object_is_no_checkout(stripe_server: Any, customer: Any) -> None:
    assert visit(f"{stripe_server.url}/c/pay/{customer.id}").status == 404


def test_the_first_page_names_the_test_cards(stripe_server: Any) -> None:
    shown = visit(f"{stripe_server.url}/")
    assert "4242 4242 4242 4242" in shown.text
    assert "asks for 3-D Secure" in shown.text
