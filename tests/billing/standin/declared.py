"""What the installed ``stripe`` package declares: the parameters of each call, the fields of each object.

All of it is read from the package's own annotations, so that whoever speaks in Stripe's stead cannot drift from it
unnoticed. ``answer_problems`` and ``parameter_problems`` give sentences, none where all is as declared.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from functools import cache, cached_property
from importlib import import_module
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, ClassVar, Literal, NotRequired, Required, Union, get_args, get_origin, get_type_hints
from urllib.parse import parse_qsl

import stripe
from stripe import ListObject, RequestOptions, StripeObject
from stripe._object_classes import OBJECT_CLASSES
from stripe._stripe_object import UntypedStripeObject
from typing_extensions import is_typeddict

PACKAGE = Path(stripe.__file__).parent
OPTIONS = set(RequestOptions.__annotations__)
KEY = re.compile(r"\[([^\]]*)\]")

type Judge = Callable[[Any, Any], bool]


@dataclass(frozen=True)
class Operation:
    """One call of the API. ``name`` is as the library has it: ``checkout.sessions.create``."""

    name: str
    method: str
    template: str
    module: str
    parameters_hint: str
    answer_hint: str

    @property
    def parameters(self) -> Any:
        return eval(self.parameters_hint, {}, _checked_names(self.module))

    @property
    def answer(self) -> Any:
        return eval(self.answer_hint, {}, _checked_names(self.module))

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        return re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(self.template)))

    def matches(self, method: str, path: str) -> bool:
        return method.lower() == self.method and self.pattern.fullmatch(path) is not None


@cache
def operations() -> tuple[Operation, ...]:
    """Every call under /v1/ that the library can make."""
    return tuple(_operations_of(import_module("stripe._v1_services").V1Services, ""))


def operation_of(method: str, path: str) -> Operation:
    """The call that a request is. A path with no name in it goes before one with. Raises LookupError."""
    found = [one for one in operations() if one.matches(method, path)]
    if not found:
        raise LookupError(f"{method} {path} is no call that the stripe package can make.")
    return min(found, key=lambda one: one.template.count("{"))


def answer_problems(method: str, path: str, body: Any) -> list[str]:
    """Where the answer of a call that went well differs from the object that the package declares for it."""
    return list(_problems(body, operation_of(method, path).answer, "answer", _is_json))


def object_problems(body: Mapping[str, Any]) -> list[str]:
    """Where an object, such as an event, differs from the class that the package has for it by its ``object``."""
    return list(_problems(body, _class_named(body["object"]), str(body["object"]), _is_json))


def parameter_problems(method: str, path: str, form: str) -> list[str]:
    """Where a query or a form's body has what the package does not declare for that call."""
    wanted = operation_of(method, path)
    return list(_problems(nested(form), wanted.parameters, wanted.name, _is_form))


def parameters_of(operation: Operation) -> set[str]:
    """The names that a call takes at the first level."""
    declared = operation.parameters
    return set(_fields(declared)) - OPTIONS if is_typeddict(declared) else set()


def nested(form: str) -> dict[str, Any]:
    """``items[0][price]=p&expand[0]=a`` as ``{"items": [{"price": "p"}], "expand": ["a"]}``."""
    tree: dict[str, Any] = {}
    for name, value in parse_qsl(form, keep_blank_values=True):
        head, _, rest = name.partition("[")
        keys = [head, *KEY.findall(f"[{rest}" if rest else "")]
        place = tree
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        place[keys[-1] or str(len(place))] = value
    return {key: _listed(one) for key, one in tree.items()}


def _listed(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    inner = {key: _listed(one) for key, one in value.items()}
    return list(inner.values()) if inner and all(key.isdigit() for key in inner) else inner


def _operations_of(service: Any, prefix: str) -> Iterator[Operation]:
    module = import_module(service.__module__)
    tree = next(
        node
        for node in ast.parse(Path(str(module.__file__)).read_text()).body
        if isinstance(node, ast.ClassDef) and node.name == service.__name__
    )
    for node in tree.body:
        if isinstance(node, ast.FunctionDef) and (request := _request_of(node)) is not None:
            declared = next((one.annotation for one in node.args.args if one.arg == "params"), None)
            yield Operation(
                f"{prefix}{node.name}",
                *request,
                module.__name__,
                _hint(declared),
                _hint(node.returns),
            )
    for attribute, (path, name) in getattr(module, "_subservices", {}).items():
        yield from _operations_of(getattr(import_module(path), name), f"{prefix}{attribute}.")


def _request_of(function: ast.FunctionDef) -> tuple[str, str] | None:
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "_request":
            method, path = node.args[:2]
            if isinstance(path, ast.Call) and isinstance(path.func, ast.Attribute):
                path = path.func.value
            assert isinstance(method, ast.Constant)
            assert isinstance(path, ast.Constant)
            return str(method.value), str(path.value)
    return None


def _hint(annotation: ast.expr | None) -> str:
    """The type that an annotation names, without the quotes and the Optional around it."""
    text = ast.unparse(annotation).replace("'", "").replace('"', "") if annotation else "None"
    return re.sub(r"^Optional\[(.*)\]$", r"\1", text)


@cache
def _checked_names(module: str) -> dict[str, Any]:
    """What a module of the package imports, what is for type checkers only included."""
    loaded = import_module(module)
    found = dict(vars(loaded))
    for node in ast.walk(ast.parse(Path(str(loaded.__file__)).read_text())):
        if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
            for one in node.body:
                if isinstance(one, ast.ImportFrom):
                    source = import_module(str(one.module))
                    found |= {alias.asname or alias.name: getattr(source, alias.name) for alias in one.names}
    return found


@cache
def _class_named(name: str) -> Any:
    module, attribute = OBJECT_CLASSES[name]
    return getattr(import_module(module), attribute)


@cache
def _fields(declared: Any) -> dict[str, Any]:
    names = _checked_names("stripe._request_options") | _checked_names(declared.__module__)
    hints = get_type_hints(declared, localns=names | dict(vars(declared)), include_extras=True)
    remapped = {wire: name for name, wire in getattr(declared, "_field_remappings", {}).items()}
    return {
        remapped.get(name, name): hint
        for name, hint in hints.items()
        if get_origin(hint) is not ClassVar and not name.startswith("_")
    }


def _problems(value: Any, declared: Any, at: str, fits: Judge) -> Iterator[str]:
    origin, inside = get_origin(declared), get_args(declared)
    if declared is Any or declared is object:
        return
    if origin in {NotRequired, Required}:
        yield from _problems(value, inside[0], at, fits)
    elif origin in {Union, UnionType}:
        yield from _union_problems(value, inside, at, fits)
    elif origin is Literal:
        if not any(fits(value, type(one)) and str(value).lower() == str(one).lower() for one in inside):
            yield f"{at}: {value!r} is none of {', '.join(map(repr, inside))}"
    elif origin is list:
        if not isinstance(value, list):
            yield f"{at}: {value!r} is no list"
            return
        for index, one in enumerate(value):
            yield from _problems(one, inside[0], f"{at}[{index}]", fits)
    elif origin in {dict, UntypedStripeObject} or declared is UntypedStripeObject:
        yield from _untyped_problems(value, inside[-1] if inside else Any, at, fits)
    elif origin is ListObject:
        yield from _list_problems(value, inside[0], at, fits)
    elif is_typeddict(declared):
        yield from _parameter_problems(value, declared, at, fits)
    elif isinstance(declared, type) and issubclass(declared, StripeObject):
        yield from _object_problems(value, declared, at, fits)
    elif not fits(value, declared):
        yield f"{at}: {value!r} is no {getattr(declared, '__name__', declared)}"


def _union_problems(value: Any, members: tuple[Any, ...], at: str, fits: Judge) -> Iterator[str]:
    """A set of words stays closed, although the library leaves it open (``| str``) for words to come."""
    if value is None and NoneType in members:
        return
    members = tuple(one for one in members if one is not NoneType)
    if any(get_origin(one) is Literal and any(get_args(one)) for one in members):
        members = tuple(one for one in members if one is not str)
    if isinstance(value, dict) and value.get("object") in OBJECT_CLASSES:
        named = [one for one in members if one is _class_named(value["object"])]
        members = tuple(named) or members
    found = [list(_problems(value, one, at, fits)) for one in members]
    if all(found):
        yield from min(found, key=lambda lines: (any(line.startswith(f"{at}: ") for line in lines), len(lines)))


def _untyped_problems(value: Any, inside: Any, at: str, fits: Judge) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r} is no object"
    elif fits is _is_json and value.get("object") in OBJECT_CLASSES:
        yield from _object_problems(value, _class_named(value["object"]), at, fits)
    else:
        for key, one in value.items():
            yield from _problems(one, inside, f"{at}.{key}", fits)


def _list_problems(value: Any, inside: Any, at: str, fits: Judge) -> Iterator[str]:
    if not isinstance(value, dict) or value.get("object") != "list":
        yield f"{at}: {value!r} is no list object"
        return
    if not (isinstance(value.get("has_more"), bool) and str(value.get("url", "")).startswith("/v1/")):
        yield f"{at}: has_more or url is missing"
    if surplus := set(value) - {"object", "data", "has_more", "url", "total_count"}:
        yield f"{at}: {', '.join(sorted(surplus))} is not declared for a list"
    yield from _problems(value.get("data"), list[inside], f"{at}.data", fits)


def _object_problems(value: Any, declared: Any, at: str, fits: Judge) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r} is no object"
        return
    fields = _fields(declared)
    for name, one in value.items():
        if name in fields:
            yield from _problems(one, fields[name], f"{at}.{name}", fits)
        else:
            yield f"{at}.{name} is not declared for {declared.__qualname__}"
    if not value.get("deleted"):
        for name, hint in fields.items():
            if name not in value and NoneType not in get_args(hint):
                yield f"{at}.{name} is missing"


def _parameter_problems(value: Any, declared: Any, at: str, fits: Judge) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r} is no object"
        return
    fields = {name: hint for name, hint in _fields(declared).items() if name not in OPTIONS}
    for name, one in value.items():
        if name in fields:
            yield from _problems(one, fields[name], f"{at}.{name}", fits)
        else:
            yield f"{at}.{name} is not declared for {declared.__name__}"
    for name, hint in fields.items():
        if name not in value and get_origin(hint) is not NotRequired:
            yield f"{at}.{name} is missing"


def _is_json(value: Any, declared: Any) -> bool:
    if declared is Decimal:
        return isinstance(value, str) and _is_number(value)
    if declared is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    if declared is int:
        return isinstance(value, int) and not isinstance(value, bool)
    return isinstance(value, declared)


def _is_form(value: Any, declared: Any) -> bool:
    if not isinstance(value, str):
        return False
    if declared is bool:
        return value in {"true", "false"}
    if declared is int:
        return re.fullmatch(r"-?\d+", value) is not None
    if declared in {float, Decimal}:
        return _is_number(value)
    return declared is str


def _is_number(value: str) -> bool:
    try:
        return Decimal(value).is_finite()
    except InvalidOperation:
        return False
