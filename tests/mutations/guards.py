"""What is taken out, and the test that has to see it."""

from dataclasses import dataclass

TESTS = "tests/billing"


@dataclass(frozen=True, slots=True)
class Guard:
    """``code`` stands once in the file ``path``; ``without`` is put in its place."""

    name: str
    what: str
    path: str
    code: str
    without: str
    test: str


GUARDS = (
    Guard(
        "dedupe",
        "keeping each event once",
        "billing/webhooks.py",
        'stripe_id=event["id"],',
        'stripe_id=f"{event["id"]} {time.time_ns()}",',
        f"{TESTS}/test_webhooks.py::TestTaken::test_twenty_copies_are_one",
    ),
    Guard(
        "refetch",
        "fetching what an event hints at",
        "billing/webhooks.py",
        "            subscription_sync(account.id)\n",
        "            pass\n",
        f"{TESTS}/test_webhooks.py::TestTaken::test_an_event_activates_whoever_never_came_back",
    ),
    Guard(
        "signature",
        "checking the signature of a webhook",
        "billing/webhooks.py",
        "if not any(is_signed(body, header, secret, TOLERANCE) for secret in secrets):",
        "if not secrets:",
        f"{TESTS}/test_webhooks.py::TestRefused::test_forged",
    ),
    Guard(
        "future",
        "refusing a webhook from the future",
        "billing/webhooks.py",
        "if signed_at is None or signed_at > time.time() + AHEAD:",
        "if signed_at is None:",
        f"{TESTS}/test_webhooks.py::TestRefused::test_from_the_future",
    ),
    Guard(
        "mode",
        "refusing events of the other mode",
        "billing/webhooks.py",
        'if event.get("livemode") is not settings.STRIPE_LIVEMODE:',
        'if event.get("livemode") is None:',
        f"{TESTS}/test_webhooks.py::TestRefused::test_of_the_other_mode",
    ),
    Guard(
        "lock",
        "the account's row lock around a fetch",
        "billing/locking.py",
        "return BillingAccount.objects.select_for_update(nowait=not wait).get(id=account_id)",
        "return BillingAccount.objects.get(id=account_id)",
        f"{TESTS}/subscriptions/test_subscriptions.py::test_somebody_else_who_is_fetching_makes_a_page_not_wait",
    ),
    Guard(
        "second",
        "ending a second subscription",
        "billing/subscriptions/sync.py",
        "if account.deleted_at is not None else snapshot.live[1:]",
        "if account.deleted_at is not None else []",
        f"{TESTS}/subscriptions/test_subscriptions.py::TestSecondSubscription::"
        "test_it_is_paid_back_and_ended_and_an_operator_is_called",
    ),
    Guard(
        "price",
        "holding the price to what was shown",
        "billing/checkout/changes.py",
        "if _preview(subscription, price_id, quantity, proration_date).balance != expected:",
        "if not expected:",
        f"{TESTS}/checkout/test_changes.py::TestRefused::test_a_price_that_is_not_right_any_more",
    ),
    Guard(
        "idempotency",
        "the idempotency key that outlives us",
        "billing/stripe_client.py",
        'return {"idempotency_key": key}',
        "return {}",
        f"{TESTS}/checkout/test_changes.py::TestAway::test_a_restart_in_the_middle_sends_the_same_key",
    ),
    Guard(
        "outbox",
        "noting a change of members",
        "billing/apps.py",
        "        members_changed.register(seats_changed)\n",
        "",
        f"{TESTS}/subscriptions/test_seat_rules.py::test_who_leaves_and_who_comes_back_is_noted",
    ),
    Guard(
        "period",
        "billing no fewer seats within a period",
        "billing/seats.py",
        "else max(members, paid)",
        "else max(members, 1)",
        f"{TESTS}/checkout/test_seats_bought.py::test_a_seat_that_somebody_left_is_free_and_costs_nothing",
    ),
    Guard(
        "grace",
        "the grace that a failed payment has",
        "billing/access.py",
        "    if now < grace_until:\n",
        "    if not now:\n",
        f"{TESTS}/sweeps/test_lifecycle.py::test_a_payment_that_fails_is_forgiven_when_it_is_made",
    ),
    Guard(
        "asked",
        "asking Stripe before a workspace is dropped",
        "billing/sweeps/lifecycle.py",
        "        checkout_shut(account)\n        subscription_sync(account_id)\n",
        "        checkout_shut(account)\n",
        f"{TESTS}/sweeps/test_lifecycle.py::test_who_has_a_subscription_at_stripe_that_we_know_nothing_of_is_not_dropped",
    ),
    Guard(
        "announced",
        "announcing a week before a workspace is dropped",
        "billing/sweeps/lifecycle.py",
        "return max(lost_at + KEPT, (told or clock.now()) + NOTICE)",
        "return lost_at + KEPT if told or NOTICE else lost_at",
        f"{TESTS}/sweeps/test_lifecycle.py::test_without_having_been_told_a_week_before_nothing_is_dropped",
    ),
    Guard(
        "owed",
        "keeping what was owed before there were two subscriptions",
        "billing/subscriptions/sync.py",
        'return began if extra["created"] >= kept else moment(kept)',
        "return began",
        f"{TESTS}/subscriptions/test_subscriptions.py::TestSecondSubscription::"
        "test_what_was_owed_before_there_were_two_stays_paid",
    ),
    Guard(
        "due",
        "asking for what is still due of an invoice, not for its total",
        "billing/subscriptions/mirror.py",
        'one["amount_remaining"]',
        'one["total"]',
        f"{TESTS}/subscriptions/test_subscriptions.py::TestFailedPayment::test_what_is_still_due_is_known",
    ),
    Guard(
        "unknown",
        "asking Stripe before a checkout begins",
        "billing/checkout/hosted.py",
        "        subscription_sync(account.id)\n        account.refresh_from_db()\n    _require_startable",
        "        account.refresh_from_db()\n    _require_startable",
        f"{TESTS}/checkout/test_checkout.py::test_what_was_made_in_the_dashboard_is_seen_before_a_checkout_begins",
    ),
    Guard(
        "dated",
        "taking back an end that Stripe's own pages set by its date",
        "billing/checkout/changes.py",
        '{"cancel_at_period_end": False} if is_at_end else {"cancel_at": ""}',
        '{"cancel_at_period_end": False if is_at_end else False}',
        f"{TESTS}/test_reports.py::TestCancelAt::test_it_is_taken_back",
    ),
    Guard(
        "carried",
        "exporting nothing on a visit",
        "crm/workspace/permissions.py",
        '{**row, "export": Scope.NONE}',
        "row",
        "tests/console/test_visits.py::TestWhatIsClosed::test_also_as_the_owner",
    ),
    Guard(
        "nul",
        "leaving out the character that Postgres keeps in no text",
        "billing/webhooks.py",
        'value.replace("\\x00", "")',
        "value",
        f"{TESTS}/test_webhooks.py::TestTaken::test_a_character_that_no_table_keeps_is_left_out",
    ),
)
