"""The stand-in for Stripe: a process on loopback that speaks Stripe's wire format, to run billing without a key.

``python -m embedded.stripe PORT FOLDER``; all it knows lies in FOLDER and outlives a restart. It takes ``sk_test_``
keys only, speaks the one API version that the installed ``stripe`` library pins, and refuses each parameter that it
does not imitate.

From the inside: a request comes in at ``server``, which keeps Stripe's manners (``idempotency``, ``errors``,
``params``, ``expansion``) and finds the function in ``resources`` by method and path. What those do with money and
time stands in ``engine``. Objects are plain dicts in the API's own shape, kept by ``store``; a key that begins with
an underscore is ours and leaves by no answer. ``clock`` moves the time, ``faults`` break what they are told to. The
pages that people open call ``engine.checkout``, ``engine.wallet`` and ``engine.invoicing`` within
``store.transaction()``; who delivers webhooks reads ``store.events_after``.

What it cannot know, and only Stripe's test mode or the real thing shows:
- the cents of a proration where Stripe rounds on another path than its description (several items, tax, discounts
  changed within the period); here each line is rounded half up to the cent by the second;
- when a failed payment is tried again: Stripe chooses the hours by its own learning; here after 3, 5 and 7 days;
- tax: automatic tax is taken and counted as complete, and every tax is zero; a VAT number counts as verified by its
  form alone, but for the endings 111111111 and 222222222;
- how long webhooks take and in which order they come; here in order unless told otherwise;
- what banks, networks and fraud checks do beyond the test cards;
- whether a subscription that ends with its period says so by ``cancel_at_period_end`` or by ``cancel_at`` alone, and
  whether turning the first off takes back the second (here it does not);
  here by both;
- what is given back for a period that a discount of one invoice made cheaper; here its whole price, by the second;
- which parameters are allowed together, beyond the refusals written here.
"""
