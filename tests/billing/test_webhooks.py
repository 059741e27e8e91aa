"""Webhooks: what is taken, what is refused, and what becomes of it."""

import json
import time

import pytest

from billing import webhooks
from billing.errors import StripeAway
from billing.models import BillingAccount, StripeEvent
from billing.webhooks import event_process, event_replay, events_pick_up
from tenants.db.scopes import shared
from tests.billing.paying import deliver, event_of
from tests.billing.standin_server import DECLINED

PATH = "/billing/webhooks/stripe/"


@pytest.fixture
def paid(paying):
    """A checkout that was paid, and nobody has looked since; its events are in ``paid.events()``."""
    attempt = paying.start()
    paying.server.pay(attempt.session_id)
    return paying


@pytest.fixture
def told(paid):
    return paid.events("customer.subscription.created")[0]


def state_of(event):
    return event_of(event).state


def process(event):
    event_process.delay(event_id=str(event_of(event).id))


@pytest.fixture
def at_once(celery_eager, django_capture_on_commit_callbacks):
    """What is queued after the commit is done here and now."""
    return lambda: django_capture_on_commit_callbacks(execute=True)


class TestTaken:
    def test_an_event_activates_whoever_never_came_back(self, paid, told, at_once):
        with at_once():
            assert deliver(told) == 200
        assert state_of(told) == "done"
        assert paid.tenant.access_state == "active"

    def test_it_is_answered_before_anything_is_fetched(self, paid, told):
        paid.server.forget_requests()
        assert deliver(told) == 200
        assert paid.server.requests == []
        assert state_of(told) == "new"

    def test_twenty_copies_are_one(self, paid, told, at_once):
        paid.server.forget_requests()
        with at_once():
            assert {deliver(told) for _number in range(20)} == {200}
        with shared():
            assert StripeEvent.objects.count() == 1
        assert len([one for one in paid.server.requests if one.path == "/v1/subscriptions"]) == 1

    def test_what_is_about_nobody_here_is_kept_and_done(self, paid, told, at_once):
        told["data"]["object"]["customer"] = "cus_of_somebody_else"
        with at_once():
            assert deliver(told) == 200
        assert state_of(told) == "done"
        assert paid.tenant.access_state == "trialing"

    def test_while_the_secret_is_changed_both_are_good(self, paid, told, settings):
        settings.STRIPE_WEBHOOK_SECRET = f"whsec_the_new_one_0123456789,{settings.STRIPE_WEBHOOK_SECRET}"
        assert deliver(told) == 200

    def test_a_character_that_no_table_keeps_is_left_out(self, told):
        told["data"]["object"]["more"] = "a\x00b \\u0000"
        assert deliver(told) == 200
        assert event_of(told).payload["data"]["object"]["more"] == "ab \\u0000"


class TestRefused:
    def refused(self, event, **how):
        assert deliver(event, **how) == 400
        with shared():
            assert not StripeEvent.objects.exists()

    def test_forged(self, told):
        self.refused(told, secret="whsec_of_somebody_else_012345")

    def test_changed_on_the_way(self, told):
        self.refused(told, change=lambda body: body.replace("created", "deleted"))

    @pytest.mark.parametrize("header", ["", "t=1", "v1=abc", "t=x,v1=abc", "t=1,t=2,v1=abc"])
    def test_without_a_signature_that_can_be_read(self, told, header):
        self.refused(told, header=header or " ")

    @pytest.mark.parametrize("signature", [f"t={'9' * 5000},v1=00", "t={now},v1=\u00e9"], ids=["long", "no ascii"])
    def test_a_signature_that_nobody_could_reckon_with(self, told, signature):
        self.refused(told, header=signature.format(now=int(time.time())))

    def test_sent_again_by_whoever_overheard_it(self, told):
        self.refused(told, at=int(time.time()) - 301)

    def test_from_the_future(self, told):
        self.refused(told, at=int(time.time()) + 60)

    def test_of_the_other_mode(self, told):
        self.refused({**told, "livemode": True})

    def test_of_a_connected_account(self, told):
        self.refused({**told, "account": "acct_1"})

    def test_of_another_version_of_the_api(self, told):
        self.refused({**told, "api_version": "2020-08-27"})

    @pytest.mark.parametrize("event", [[], {}, {"object": "event"}, {"object": "charge", "id": "ch_1"}])
    def test_what_is_no_event(self, paid, event):
        self.refused(event)

    def test_about_nothing(self, told):
        self.refused({**told, "data": {"object": None}})

    @pytest.mark.parametrize(
        "wrong",
        [
            {"data": ["object"]},
            {"data": "object"},
            {"created": 10**18},
            {"created": -1},
            {"created": True},
            {"id": ""},
            {"id": "evt_" + "1" * 500},
            {"more": float("nan")},
        ],
        ids=str,
    )
    def test_signed_and_yet_not_to_be_kept(self, told, wrong):
        self.refused({**told, **wrong})

    def test_nested_without_an_end(self, told):
        told["data"]["object"]["more"] = json.loads("[" * 500 + "]" * 500)
        self.refused(told)

    def test_too_large(self, told, monkeypatch):
        monkeypatch.setattr(webhooks, "MAX_BYTES", 100)
        self.refused(told)

    def test_where_no_secret_is_set(self, told, settings):
        settings.STRIPE_WEBHOOK_SECRET = ""
        self.refused(told)

    def test_nothing_but_post(self, public_client):
        assert public_client.get(PATH).status_code == 405

    def test_on_a_workspaces_host_there_is_none(self, owner, browser_client):
        assert browser_client(owner).post(PATH).status_code == 404


class TestOrder:
    def test_a_late_one_of_the_beginning_changes_nothing(self, paid, told, at_once):
        paid.sync()
        told["data"]["object"]["status"] = "incomplete"
        with at_once():
            deliver(told)
        assert paid.subscription.status == "active"
        assert paid.tenant.access_state == "active"

    def test_all_of_them_backwards_and_twice_end_the_same(self, paid, at_once):
        with at_once():
            for event in [*reversed(paid.events()), *paid.events()]:
                deliver(event)
        with shared():
            assert set(StripeEvent.objects.values_list("state", flat=True)) == {"done"}
        assert paid.tenant.access_state == "active"

    def test_one_fetch_is_enough_for_all_that_came_before_it(self, paid, at_once):
        paid.server.forget_requests()
        with at_once():
            for event in paid.events():
                deliver(event)
        assert len([one for one in paid.server.requests if one.path == "/v1/subscriptions"]) == 1


class TestFailing:
    def test_while_stripe_is_away_it_waits_and_is_done_later(self, paid, told, at_once):
        paid.server.fault("drop", "GET /v1", times=50)
        with at_once():
            deliver(told)
        assert state_of(told) == "failed"
        assert "StripeAway" in event_of(told).error
        paid.server.heal()
        paid.move(minutes=5)
        with at_once():
            assert events_pick_up() == 1
        assert (state_of(told), paid.tenant.access_state) == ("done", "active")

    def test_however_long_stripe_is_away_no_event_is_given_up(self, paid, told, celery_eager):
        deliver(told)
        paid.server.fault("429", "GET /v1", times=500)
        for _try in range(webhooks.MAX_ATTEMPTS + 2):
            paid.move(hours=2)
            process(told)
        assert state_of(told) == "failed"

    def test_before_its_time_it_is_not_tried_again(self, paid, told, at_once):
        paid.server.fault("drop", "GET /v1", times=50)
        with at_once():
            deliver(told)
        paid.server.heal()
        process(told)
        assert state_of(told) == "failed"

    def test_a_poisoned_one_dies_and_is_replayed_by_an_operator(self, paid, told, at_once, monkeypatch):
        deliver(told)
        broken = self.poison(paid)
        for _try in range(webhooks.MAX_ATTEMPTS):
            paid.move(hours=2)
            process(told)
        dead = event_of(told)
        assert (dead.state, dead.attempts) == ("dead", webhooks.MAX_ATTEMPTS)
        assert "KeyError" in dead.error
        paid.move(days=2)
        with at_once():
            assert events_pick_up() == 0
        self.heal(broken)
        with at_once():
            event_replay(dead)
        assert (state_of(told), paid.tenant.access_state) == ("done", "active")

    def poison(self, paid):
        """Stripe answers with something that we cannot read: an invoice without a total."""
        paid.server.is_judged = False
        store = paid.server.server.store
        with store.transaction():
            invoice = store.find("invoice", customer=paid.customer)[0]
            store.put({name: value for name, value in invoice.items() if name != "currency"})
        return store, invoice

    def heal(self, broken):
        store, invoice = broken
        with store.transaction():
            store.put(invoice)

    def test_of_a_worker_that_was_killed_it_is_taken_up_when_its_claim_ends(self, paid, told, at_once):
        deliver(told)
        assert webhooks.event_claim(event_of(told).id) is not None
        with at_once():
            assert events_pick_up() == 0
        paid.move(seconds=int(webhooks.CLAIM.total_seconds()) + 1)
        with at_once():
            assert events_pick_up() == 1
        assert (state_of(told), paid.tenant.access_state) == ("done", "active")

    def test_no_two_workers_have_the_same(self, paid, told):
        deliver(told)
        assert webhooks.event_claim(event_of(told).id) is not None
        assert webhooks.event_claim(event_of(told).id) is None

    def test_one_that_the_queue_lost_is_taken_up(self, paid, told, at_once):
        deliver(told)
        paid.move(minutes=2)
        with at_once():
            assert events_pick_up() == 1
        assert paid.tenant.access_state == "active"


def test_events_of_a_customer_that_came_before_we_knew_it_find_their_account(paid, told, at_once):
    with shared():
        BillingAccount.objects.filter(id=paid.first.id).update(customer_id=None)
    deliver(told)
    assert event_of(told).account_id is None
    with shared():
        BillingAccount.objects.filter(id=paid.first.id).update(customer_id=told["data"]["object"]["customer"])
    process(told)
    assert (state_of(told), paid.tenant.access_state) == ("done", "active")


def test_a_payment_that_fails_and_one_that_heals_are_followed(paying, at_once):
    paying.subscribe()
    paying.server.card_change(paying.customer, "4000000000000341")
    paying.move(days=32)
    with at_once():
        for event in paying.events("invoice.payment_failed"):
            deliver(event)
    assert paying.tenant.access_state == "past_due"
    assert DECLINED not in json.dumps(paying.subscription.raw)


def test_a_dispute_is_heard_of_though_it_names_no_customer(paying, at_once):
    paying.subscribe()
    charge = paying.server.client.v1.charges.list({"customer": paying.customer}).data[0]
    paying.server.dispute(charge.id)
    told = paying.events("charge.dispute.created")[0]
    assert "customer" not in told["data"]["object"]
    with at_once():
        deliver(told)
    assert "disputed" in paying.account.needs_attention
    assert event_of(told).account_id == paying.account.id


def test_a_dispute_of_a_charge_that_is_not_ours_is_kept_and_done(paying, at_once):
    paying.subscribe()
    charge = paying.server.client.v1.charges.list({"customer": paying.customer}).data[0]
    paying.server.dispute(charge.id)
    told = paying.events("charge.dispute.created")[0]
    told["data"]["object"]["charge"] = "ch_of_somebody_else"
    with at_once():
        deliver(told)
    assert (state_of(told), event_of(told).account_id) == ("done", None)


def test_nothing_secret_is_told_where_a_webhook_is_refused(paid, told, caplog, settings):
    deliver(told, secret="whsec_of_somebody_else_012345")
    assert settings.STRIPE_WEBHOOK_SECRET not in caplog.text
    assert settings.STRIPE_SECRET_KEY not in caplog.text


def test_the_error_of_a_call_holds_no_key(paid, settings):
    paid.server.fault("drop", "GET /v1", times=10)
    with pytest.raises(StripeAway) as away:
        paid.sync()
    assert settings.STRIPE_SECRET_KEY not in repr(away.value)


def test_what_is_done_is_forgotten_after_a_while_and_what_is_dead_is_kept(paid, told, at_once):
    with at_once():
        for event in paid.events():
            deliver(event)
    with shared():
        StripeEvent.objects.filter(stripe_id=told["id"]).update(state="dead")
    paid.move(days=91)
    assert webhooks.events_forget() > 3
    with shared():
        assert [one.stripe_id for one in StripeEvent.objects.all()] == [told["id"]]
