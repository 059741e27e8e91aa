"""Tax ids of customers: a VAT number counts as verified by its form alone."""

import re

from embedded.stripe.errors import Refused
from embedded.stripe.store import Body, Store

FORMS = {
    "eu_vat": r"[A-Z]{2}[0-9A-Z+*]{2,13}",
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
        "verification": {"status": "verified", "verified_address": None, "verified_name": None},
    }
    store.put(made)
    store.emit("customer.tax_id.created", made)
    return made
