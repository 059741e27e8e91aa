"""Parameters as they come over the wire, decoded and checked.

A schema is a dict from a parameter's name to a check: a function that takes the raw value and its path
(``items[0][price]``) and gives the value or raises NotValid. A name that the schema lacks is refused. An empty text
unsets and is read as None.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from embedded.stripe.errors import NotValid

type Check = Callable[[Any, str], Any]
type Schema = Mapping[str, Check | "Required"]

KEY = re.compile(r"\[([^\[\]]*)\]")


@dataclass(frozen=True)
class Required:
    check: Check


def decoded(text: str) -> dict[str, Any]:
    """The nested values of a form: ``a[b][0]=x`` is ``{"a": {"b": {"0": "x"}}}``; lists are made by their check."""
    found: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        head, bracket, rest = name.partition("[")
        parts = [head, *KEY.findall(bracket + rest)]
        place = found
        for part in parts[:-1]:
            inner = place.setdefault(part or str(len(place)), {})
            if not isinstance(inner, dict):
                raise NotValid(f"Invalid {head}", param=head)
            place = inner
        place[parts[-1] or str(len(place))] = value
    return found


def checked(schema: Schema, given: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Only what was given, checked; raises NotValid for what is unknown, missing or malformed."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        where = f"{path}[{name}]" if path else name
        check = schema.get(name)
        if check is None:
            raise NotValid(f"Received unknown parameter: {where}", code="parameter_unknown", param=where)
        if isinstance(check, Required):
            if value == "":
                raise NotValid(
                    f"You passed an empty string for '{where}'. We assume empty values are an attempt to unset a "
                    f"parameter; however '{where}' cannot be unset. You should remove '{where}' from your request or "
                    "supply a non-empty value.",
                    code="parameter_invalid_empty",
                    param=where,
                )
            check = check.check
        found[name] = check(value, where)
    for name, check in schema.items():
        if isinstance(check, Required) and name not in found:
            where = f"{path}[{name}]" if path else name
            raise NotValid(f"Missing required param: {where}.", code="parameter_missing", param=where)
    return found


def required(check: Check) -> Required:
    return Required(check)


def text(value: Any, path: str) -> str | None:
    if not isinstance(value, str):
        raise NotValid(f"Invalid string: {value}", param=path)
    if len(value) > 5000:
        raise NotValid(f"Invalid string: {path} must be at most 5000 characters", param=path)
    return value or None


def integer(value: Any, path: str) -> int:
    if not isinstance(value, str) or not re.fullmatch(r"-?\d{1,15}", value):
        raise NotValid(f"Invalid integer: {value}", code="parameter_invalid_integer", param=path)
    return int(value)


def count(value: Any, path: str) -> int:
    found = integer(value, path)
    if found < 0:
        raise NotValid(f"This value must be greater than or equal to 0 (it currently is '{found}').", param=path)
    return found


def stamp(value: Any, path: str) -> int | None:
    """Seconds since 1970."""
    return None if value == "" else integer(value, path)


def number(value: Any, path: str) -> float:
    if not isinstance(value, str) or not re.fullmatch(r"\d{1,12}(\.\d{1,12})?", value):
        raise NotValid(f"Invalid decimal: {value}", param=path)
    return float(value)


def flag(value: Any, path: str) -> bool:
    if value not in {"true", "false"}:
        raise NotValid(f"Invalid boolean: {value}", param=path)
    return bool(value == "true")


def choice(*allowed: str) -> Check:
    def check(value: Any, path: str) -> str | None:
        if value == "":
            return None
        if value not in allowed:
            names = f"{', '.join(allowed[:-1])}, or {allowed[-1]}" if len(allowed) > 1 else allowed[0]
            raise NotValid(f"Invalid {path}: must be one of {names}", param=path)
        return str(value)

    return check


def mapping(schema: Schema) -> Check:
    def check(value: Any, path: str) -> dict[str, Any] | None:
        if value == "":
            return None
        if not isinstance(value, dict):
            raise NotValid("Invalid object", param=path)
        return checked(schema, value, path)

    return check


def listing(of: Check, *, most: int = 100) -> Check:
    def check(value: Any, path: str) -> list[Any] | None:
        if value == "":
            return None
        if not isinstance(value, dict) or not all(index.isdigit() for index in value):
            raise NotValid("Invalid array", param=path)
        if len(value) > most:
            raise NotValid(f"Array {path} exceeded maximum {most} allowed elements.", param=path)
        return [of(value[index], f"{path}[{index}]") for index in sorted(value, key=int)]

    return check


def either(*checks: Check) -> Check:
    """The first check that takes the value."""

    def check(value: Any, path: str) -> Any:
        for one in checks[:-1]:
            try:
                return one(value, path)
            except NotValid:
                continue
        return checks[-1](value, path)

    return check


def metadata(value: Any, path: str) -> dict[str, str | None] | None:
    """Texts by key; an empty one takes the key away, and an empty text for the whole takes all."""
    if value == "":
        return None
    if not isinstance(value, dict) or not all(isinstance(one, str) for one in value.values()):
        raise NotValid("Invalid object: metadata is a set of texts", param=path)
    if len(value) > 50:
        raise NotValid("You cannot have more than 50 metadata keys", param=path)
    for name, one in value.items():
        if len(name) > 40 or len(one) > 500:
            raise NotValid("Metadata keys are at most 40 and values at most 500 characters", param=path)
    return {name: one or None for name, one in value.items()}


def merged(old: dict[str, str], change: dict[str, str | None] | None) -> dict[str, str]:
    """``old`` metadata after ``change`` as ``metadata`` reads it."""
    if change is None:
        return {}
    return {name: value for name, value in {**old, **change}.items() if value is not None}


RANGE = either(integer, mapping({"gt": integer, "gte": integer, "lt": integer, "lte": integer}))
PAGE: Schema = {"limit": count, "starting_after": text, "ending_before": text}
ADDRESS = mapping(
    {"city": text, "country": text, "line1": text, "line2": text, "postal_code": text, "state": text},
)
