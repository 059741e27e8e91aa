"""What no honest program sends: a value of every wrong type, shape, depth and length, in an order that is always the
same."""

import json
import random
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from crm.records.query.operators import OPERATORS
from crm.records.schema.record_type import RecordType

ROOT = Path(__file__).resolve().parents[2]
NOBODY = "01890000-0000-7000-8000-000000000000"


def deep(levels: int, inner: Any = 1, kind: str = "list") -> Any:
    for _level in range(levels):
        inner = [inner] if kind == "list" else {kind: inner}
    return inner


SCALARS: list[Any] = [
    None, True, False, 0, -1, 1, 7, 2**31, 2**63, 2**64, -(2**63) - 1, 1.5, 1e308, -0.0, 1e-300, 0.1234567890123456789,
    "", " ", "x", "true", "0", "-1", "me", "\0", "a\0b", "\u202e", "\ufeff", "🪟", "%", "%00", "'", '"', "\\", "../..",
    "NaN", "Infinity", "1e999", "9" * 400, "١٢", "²", "½", "2026-02-31", "0000-00-00", "2026-01-01T25:00",
    "2026-03-29T02:30", "2026-01-01T00:00:00+99:00", "9999-12-31T23:59:59-23:59", NOBODY, f"company:{NOBODY}",
    "nonsense:x", "FREQ=DAILY;COUNT=0", "FREQ=", "x" * 5000, "é" * 300_000, "http://[", "a@b", "+49", "1,5", "-", ",",
]  # fmt: skip
SHAPES: list[Any] = [
    [], {}, [[]], [{}], [None], [True], [0], ["x"], ["\0"], ["x"] * 600, [NOBODY] * 3, [[["x"]]], {"": ""},
    {"id": None}, {"id": "x"}, {"id": NOBODY}, {"type": "company", "id": NOBODY},
    {"type": [], "id": {}}, {"value": None},
    {"value": "x", "label": []}, [{"value": []}], [{"id": NOBODY, "role": {}}], {"street": []}, {"field": "name"},
    {"field": ["name"]}, [{"field": []}], {"all": {}}, {"any": []}, {"not": []}, {"0": [["09:00", "08:00"]]},
    deep(30), deep(20, kind="not"), deep(40), deep(300), deep(20, kind="all"), dict.fromkeys(map(str, range(600)), 1),
]  # fmt: skip
BODIES: list[bytes] = [
    b"", b" ", b"null", b"[]", b'"x"', b"0", b"true", b"{", b"{}", b"[{}]", b'{"": null}', b'{"a": NaN}', 
    b'{"a": 1e999}',     b'{"name": "\\ud800"}', b'{"name": "\xff"}', b"\xef\xbb\xbf{}", b"[" * 100_000, 
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b'{"amount": 123456789012345678901234567890}', b'{"\\u0000": 1}', b'{"name": "x", "name": []}', b"\x00",
]  # fmt: skip
TEXTS = [one if isinstance(one, str) else json.dumps(one) for one in [*SCALARS, *SHAPES]]


def dice(*seed: object) -> random.Random:
    """Chance that falls the same way in every run."""
    return random.Random("|".join(map(str, seed)))


def wrong(chance: random.Random) -> Any:
    return chance.choice(SCALARS if chance.random() < 0.5 else SHAPES)


def wrong_tree(chance: random.Random, record_type: RecordType, depth: int = 0) -> Any:
    """A condition that is nearly one: true fields and operators, values of any kind."""
    if depth < 3 and chance.random() < 0.25:
        joint = chance.choice(["all", "any", "not"])
        inner: Any = [wrong_tree(chance, record_type, depth + 1) for _one in range(chance.randint(0, 3))]
        return {joint: inner if joint != "not" or chance.random() < 0.2 else wrong_tree(chance, record_type, depth + 1)}
    field = chance.choice([*record_type.fields, record_type.field("created_at")])
    known = [*OPERATORS[field.kind], "nonsense"]
    tree = {"field": field.slug, "op": chance.choice(known), "value": wrong(chance)}
    if chance.random() < 0.1:
        tree[chance.choice(["field", "op", "value", "more"])] = wrong(chance)
    return tree


def names_in_code(folders: Iterable[str] = ("api", "crm", "tenants")) -> list[str]:
    """Every parameter that some code asks a request for by its name."""
    asked = re.compile(r"""(?:GET|POST|data|sent|params|query_params)(?:\.get|\.getlist)?[(\[]f?["']([\w.\-{}]+)["']""")
    found = {
        name.replace("{name}", "c0").replace("{slug}", "due_at").replace("{field.slug}", "emails")
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        for name in asked.findall(path.read_text())
    }
    return sorted(found)
