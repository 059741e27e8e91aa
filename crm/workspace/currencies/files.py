"""Exchange rates from a file: our own lines, or the euro reference rates of the European Central Bank.

Ours are ``currency;date;rate`` (or with commas or tabs), a unit of the currency in the workspace's. The ECB's, as CSV
or XML, say how much of each currency a euro is; where the workspace's currency is another, the rates cross over the
euro. https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/
"""

import csv
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal, localcontext
from xml.parsers import expat

from django.utils.translation import gettext as _

from crm.workspace.currencies.convert import PRECISION
from crm.workspace.errors import WorkspaceError
from crm.workspace.text.numbers import PLAIN, WITH_COMMA, decimal_in

MAX_BYTES = 8 * 1024 * 1024
MAX_RATES = 10_000
EURO = "EUR"
DIGITS = Decimal("1e-15")
DATE_SHAPES = ("%Y-%m-%d", "%d %B %Y", "%d.%m.%Y", "%d/%m/%Y")


@dataclass(frozen=True, slots=True)
class Line:
    """A rate of a file as it stands there; ``number`` counts the file's lines from 1."""

    number: int
    currency: str
    on: str
    rate: str


@dataclass(frozen=True, slots=True)
class Sheet:
    """What a file holds. ``left_out`` are its currencies that are not in use here."""

    lines: list[Line]
    left_out: tuple[str, ...] = ()
    is_reference: bool = False


def refuse(message: str) -> WorkspaceError:
    return WorkspaceError("bad_file", message, field="file")


def sheet_read(data: bytes, *, own: str, wanted: Iterable[str]) -> Sheet:
    """The rates of a file of at most ``MAX_BYTES``. Raises WorkspaceError with what is wrong with it as a whole.

    Of the ECB's files only the currencies ``wanted`` are taken; of ours every line.
    """
    if len(data) > MAX_BYTES:
        raise refuse(_("This file is too large: at most %(size)d MB.") % {"size": MAX_BYTES // 1024 // 1024})
    if not data.strip():
        raise refuse(_("This file is empty."))
    if data.lstrip(b"\xef\xbb\xbf \r\n\t").startswith(b"<"):
        return _reference(xml_days(data), own=own, wanted=wanted)
    text = _text(data)
    head = text.lstrip().partition("\n")[0].lower()
    if head.startswith("date") and "," in head and "rate" not in head:
        return _reference(csv_days(text), own=own, wanted=wanted)
    return _plain(text)


def _text(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        pass
    try:
        return data.decode("utf-16") if data[:2] in (b"\xff\xfe", b"\xfe\xff") else data.decode("cp1252")
    except UnicodeDecodeError:
        raise refuse(_("This is not a text file.")) from None


def _plain(text: str) -> Sheet:
    lines: list[Line] = []
    if "\x00" in text:
        raise refuse(_("This is not a text file."))
    for number, raw in enumerate(text.splitlines(), 1):
        if not raw.strip():
            continue
        between = ";" if ";" in raw else "\t" if "\t" in raw else ","
        try:
            cells = [cell.strip() for cell in next(csv.reader([raw], delimiter=between))]
        except csv.Error:
            cells = [raw]
        if not lines and number == 1 and len(cells) >= 3 and not any(sign.isdigit() for sign in cells[2]):
            continue
        cells = [cell[:60] for cell in [*cells, "", "", ""]]
        if len(lines) == MAX_RATES:
            raise _too_many()
        lines.append(Line(number, cells[0].upper(), cells[1], cells[2] if not any(cells[3:]) else ";".join(cells[2:])))
    if not lines:
        raise refuse(_("There is no rate in this file."))
    return Sheet(lines)


def _too_many() -> WorkspaceError:
    return refuse(_("There are more than %(count)d rates in this file. Take it in parts.") % {"count": MAX_RATES})


type Day = tuple[int, str, dict[str, str]]
"""A line's number, its day, and how much of each currency a euro was."""


def csv_days(text: str) -> Iterator[Day]:
    rows = csv.reader(text.splitlines())
    codes = [cell.strip().upper() for cell in next(rows)]
    for number, cells in enumerate(rows, 2):
        if any(cell.strip() for cell in cells):
            pairs = zip(codes[1:], (cell.strip() for cell in cells[1:]), strict=False)
            yield (
                number,
                cells[0].strip()[:40],
                {code: rate for code, rate in pairs if code and rate not in ("", "N/A")},
            )


def xml_days(data: bytes) -> Iterator[Day]:
    """``<Cube time=…><Cube currency=… rate=…/></Cube>``. Documents with entities of their own are refused."""
    days: list[Day] = []
    parser = expat.ParserCreate()

    def entity(*_arguments: object) -> None:
        raise refuse(_("This XML file holds declarations that are not taken."))

    def start(name: str, attributes: dict[str, str]) -> None:
        if name.rpartition(":")[2] != "Cube":
            return
        if "time" in attributes:
            days.append((parser.CurrentLineNumber, attributes["time"][:40], {}))
        elif "currency" in attributes and "rate" in attributes and days:
            days[-1][2][attributes["currency"].upper()[:10]] = attributes["rate"][:40]

    parser.StartElementHandler = start
    parser.EntityDeclHandler = entity
    parser.StartDoctypeDeclHandler = entity
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise refuse(_("This XML file is broken in line %(line)d.") % {"line": error.lineno}) from None
    if not days:
        raise refuse(_("There is no rate in this file."))
    yield from days


def _reference(days: Iterable[Day], *, own: str, wanted: Iterable[str]) -> Sheet:
    taken = [code for code in dict.fromkeys(wanted) if code != own]
    lines: list[Line] = []
    seen: dict[str, None] = {}
    for number, on, rates in days:
        table = {EURO: "1", **rates}
        seen |= dict.fromkeys(table)
        lines += [Line(number, code, on, _crossed(table, code, own)) for code in taken if code in table]
        if len(lines) > MAX_RATES:
            raise _too_many()
    if seen and own not in seen:
        raise refuse(
            _("The European Central Bank has no rate of %(currency)s, so its others cannot be taken over.")
            % {"currency": own}
        )
    if not lines:
        raise refuse(_("There is no rate in this file of a currency that is in use here."))
    return Sheet(lines, tuple(sorted(code for code in seen if code not in taken and code != own)), is_reference=True)


def _crossed(table: dict[str, str], code: str, own: str) -> str:
    """A unit of ``code`` in ``own``, over the euro; what cannot be read stays as it is and is refused with its line."""
    ours, theirs = number_of(table.get(own, "")), number_of(table[code])
    if ours is None or theirs is None or not theirs:
        return table[code] if theirs is None or not theirs else table.get(own, "")
    with localcontext(prec=PRECISION):
        return f"{(ours / theirs).quantize(DIGITS):f}"


def number_of(text: str) -> Decimal | None:
    """A rate as files have it, with a point or a comma, never with a sign between thousands; None for what is none."""
    return decimal_in(text, PLAIN, WITH_COMMA)


def day_of(text: str) -> date | None:
    for shape in DATE_SHAPES:
        try:
            return datetime.strptime(text.strip(), shape).date()
        except ValueError:
            continue
    return None
