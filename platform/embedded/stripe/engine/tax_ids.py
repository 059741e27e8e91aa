"""Tax ids of customers: a VAT number counts as verified by its form alone, but for Stripe's numbers for trying."""

import re

from embedded.stripe.errors import Refused
from embedded.stripe.store import Body, Store

EU_FORMS = (
    r"ATU\d{8} BE[01]\d{9} BG\d{9,10} CY\d{8}[A-Z] CZ\d{8,10} DE\d{9} DK\d{8} EE\d{9} EL\d{9} "
    r"ES[0-9A-Z]\d{7}[0-9A-Z] FI\d{8} FR[0-9A-Z]{2}\d{9} HR\d{11} HU\d{8} IE\d[0-9A-Z+*]\d{5}[A-Z]{1,2} "
    r"IT\d{11} LT(\d{9}|\d{12}) LU\d{8} LV\d{11} MT\d{8} NL\d{9}B\d{2} PL\d{10} PT\d{9} RO\d{2,10} SE\d{12} "
    r"SI\d{8} SK\d{10} XI(\d{9}|\d{12})"
)
FORMS = {
    "eu_vat": "|".join(EU_FORMS.split()),
    "gb_vat": r"(GB)?(\d{9}|\d{12}|(GD|HA)\d{3})",
    "ch_vat": r"CHE[0-9.\-]{9,12}( ?(MWST|TVA|IVA))?",
    "no_vat": r"\d{9}MVA",
    "us_ein": r"\d{2}-\d{7}",
    "au_abn": r"\d{11}",
    "ca_bn": r"\d{9}",
    "in_gst": r"[0-9A-Z]{15}",
    "jp_trn": r"T\d{13}",
    "nz_gst": r"\d{8,9}",
}
TRIED = {"111111111": "unverified", "222222222": "pending"}
"""What becomes of a VAT number that ends in these digits."""


def tax_id_make(store: Store, customer: Body, kind: str, value: str) -> Body:
    """Keep the tax id; raises Refused for a type we do not know or a value of another form."""
    if kind not in FORMS:
        raise Refused(f"Invalid type: must be one of {', '.join(FORMS)}", param="type")
    plain = value.replace(" ", "").upper() if kind != "ch_vat" else value.upper()
    if not re.fullmatch(FORMS[kind], plain):
        raise Refused(f"Invalid value for {kind}.", code="tax_id_invalid", param="value")
    for one in store.find("tax_id", customer=customer["id"], type=kind):
        if one["value"] == plain:
            return one
    made = {
        "id": store.new_id("txi"),
        "object": "tax_id",
        "country": plain[:2] if kind == "eu_vat" else kind[:2].upper(),
        "created": store.now(),
        "customer": customer["id"],
        "livemode": False,
        "owner": {"type": "customer", "customer": customer["id"]},
        "type": kind,
        "value": plain,
        "verification": {"status": TRIED.get(plain[-9:], "verified"), "verified_address": None, "verified_name": None},
    }
    store.put(made)
    store.emit("customer.tax_id.created", made)
    return made
