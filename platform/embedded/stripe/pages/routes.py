"""Which page stands at which address. They answer to names of this machine only."""

import re
from collections.abc import Callable, Mapping
from http import HTTPStatus
from urllib.parse import parse_qsl

from embedded.stripe.errors import Refused
from embedded.stripe.pages import checkout, invoices, portal
from embedded.stripe.pages.forms import test_cards
from embedded.stripe.pages.rendering import CSS, Page, message, not_found, rendered
from embedded.stripe.store import Store

type View = Callable[[Store, str, Mapping[str, str], Mapping[str, str] | None], Page]

ID = r"([A-Za-z0-9_]{1,100})"
READ_ONLY: list[tuple[str, View]] = [
    (r"/", lambda _store, _id, _query, _form: rendered("home.html", test_cards=test_cards())),
    (r"/page\.css", lambda _store, _id, _query, _form: Page(HTTPStatus.OK, CSS, "text/css; charset=utf-8")),
    (rf"/i/{ID}/pdf", lambda store, one, _query, _form: invoices.invoice_pdf(store, one)),
    (rf"/i/{ID}/receipt", lambda store, one, _query, _form: invoices.invoice_pdf(store, one, receipt=True)),
    (rf"/r/{ID}", lambda store, one, _query, _form: invoices.charge_receipt(store, one)),
]
FORMS: list[tuple[str, View]] = [
    (rf"/c/pay/{ID}", lambda store, one, _query, form: checkout.checkout_page(store, one, form)),
    (rf"/c/pay/{ID}/authenticate", lambda store, one, _query, form: checkout.authenticate_page(store, one, form)),
    (rf"/p/session/{ID}", lambda store, one, query, form: portal.portal_page(store, one, query.get("done", ""), form)),
    (rf"/i/{ID}", lambda store, one, _query, form: invoices.invoice_page(store, one, form)),
    (rf"/i/{ID}/authenticate", lambda store, one, _query, form: invoices.authenticate_page(store, one, form)),
]
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


def respond(store: Store, method: str, path: str, query: str, body: str) -> Page:
    """The page at ``path``; ``body`` is the form that was sent. HEADERS go with every one."""
    try:
        form = dict(parse_qsl(body, keep_blank_values=True, max_num_fields=50)) if method == "POST" else None
    except ValueError:
        return message("Not understood", "This form has too many fields.", status=HTTPStatus.BAD_REQUEST)
    for pattern, view in FORMS if method == "POST" else [*READ_ONLY, *FORMS]:
        if found := re.fullmatch(pattern, path):
            try:
                return view(store, found[1] if found.groups() else "", dict(parse_qsl(query)), form)
            except Refused as refused:
                return message("This cannot be done", refused.message, status=refused.status)
    return not_found()
