"""Settings → Currencies: rates by hand and from files, currencies in use, and another currency for the workspace."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from crm.workspace.configuration import kept, workspace_settings
from crm.workspace.currencies import services
from crm.workspace.currencies.convert import Rate, converted, decimals
from crm.workspace.currencies.files import Line, sheet_read
from crm.workspace.currencies.services import Fate, _rebased
from crm.workspace.errors import Conflict, NotAllowed, WorkspaceError
from crm.workspace.models import ExchangeRate
from tenants.db.scopes import shared
from tenants.models import Tenant
from tenants.workspaces.hosts import tenant_host
from tests import factories

pytestmark = pytest.mark.django_db
PAGE = "/settings/currencies/"
DAY = date(2026, 3, 31)


def put(owner: Any, currency: str = "USD", rate: str = "0.9", on: date = DAY) -> ExchangeRate:
    return services.exchange_rate_set(owner, currency=currency, on=on, rate=Decimal(rate))


def upload(client: Any, data: bytes, name: str = "rates.csv") -> Any:
    return client.post(f"{PAGE}file/", {"file": SimpleUploadedFile(name, data)})


# --- by hand ----------------------------------------------------------------------------------------------------------


def test_a_rate_is_set_corrected_and_removed(owner, browser_client):
    client = browser_client(owner)
    assert client.post(PAGE, {"currency": "USD", "on": "2026-03-31", "rate": "0.92"}).status_code == 302
    assert client.post(PAGE, {"currency": "USD", "on": "2026-03-31", "rate": "0.93"}).status_code == 302
    found = ExchangeRate.objects.get()
    assert (found.currency, found.on, found.rate) == ("USD", DAY, Decimal("0.93"))
    page = client.get(f"{PAGE}USD/")
    assert "0.93" in page.content.decode()
    assert client.post(f"{PAGE}rates/{found.id}/remove/").status_code == 302
    assert not ExchangeRate.objects.exists()


def test_what_was_read_as_a_rate_is_shown_back(owner, browser_client):
    answer = browser_client(owner).post(PAGE, {"currency": "USD", "on": "2026-03-31", "rate": "0.925"}, follow=True)
    assert "0.925 EUR from Mar 31, 2026" in answer.content.decode()


@pytest.mark.parametrize("page", [PAGE, f"{PAGE}USD/"])
@pytest.mark.parametrize(
    ("typed", "says"),
    [
        ("0,925", "This must be a number, such as 1234.5."),
        ("0 925", "number"),
        ("1,23", "number"),
        ("1_000", "number"),
        ("1,085", "can be read as 1085 or as 1.085"),
        ("17,500", "can be read as 17500 or as 17.500"),
    ],
)
def test_a_rate_that_may_be_read_in_two_ways_is_not_guessed_at(page, typed, says, owner, browser_client):
    answer = browser_client(owner).post(page, {"currency": "USD", "on": "2026-03-31", "rate": typed})
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not ExchangeRate.objects.exists()


@pytest.mark.parametrize("rate", ["1,085", "0,925", "1_0", "0 925"])
def test_a_list_of_rates_by_the_api_reads_numbers_as_json_has_them(rate, owner, api):
    body = {"rates": [{"currency": "USD", "on": "2026-03-31", "rate": rate}]}
    assert api(owner).post("/api/v1/exchange-rates", body).status_code in {200, 422}
    assert not ExchangeRate.objects.exists()


@pytest.mark.parametrize(
    ("field", "value", "says"),
    [
        ("rate", "0", "vanish"),
        ("rate", "0.0000000000000001", "cannot be meant"),
        ("rate", "-1", "greater than zero"),
        ("rate", "1e99", "cannot be meant"),
        ("rate", "1e-99", "cannot be meant"),
        ("rate", "9999999999", "cannot be meant"),
        ("rate", "NaN", "number"),
        ("rate", "abc", "number"),
        ("rate", "", "required"),
        ("on", "2999-01-01", "future"),
        ("on", "1066-10-14", "too long ago"),
        ("on", "soon", "valid date"),
        ("currency", "EUR", "valid choice"),
        ("currency", "XXXX", "valid choice"),
    ],
)
def test_bad_rates_are_refused_with_a_word(field, value, says, owner, browser_client):
    sent = {"currency": "USD", "on": "2026-03-31", "rate": "0.92", field: value}
    answer = browser_client(owner).post(PAGE, sent)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not ExchangeRate.objects.exists()


def test_the_own_currency_needs_no_rate(owner):
    with pytest.raises(WorkspaceError) as refusal:
        put(owner, "EUR", "1")
    assert refusal.value.code == "own_currency"


def test_a_rate_typed_with_a_comma(owner, browser_client):
    from crm.workspace.models import Member

    Member.objects.filter(id=owner.member_id).update(number_format="point_comma")
    client = browser_client(owner)
    assert client.post(PAGE, {"currency": "USD", "on": "2026-03-31", "rate": "1.234,5"}).status_code == 302
    assert ExchangeRate.objects.get().rate == Decimal("1234.5")
    assert "1.234,5" in client.get(PAGE).content.decode()


# --- who may ----------------------------------------------------------------------------------------------------------

PATHS = [PAGE, f"{PAGE}USD/", f"{PAGE}USD/remove/", f"{PAGE}own/?own-currency=USD"]


@pytest.mark.parametrize("path", PATHS)
def test_the_pages_are_for_those_with_the_power(path, owner, admin, seller, outsider, browser_client):
    assert browser_client(owner).get(path).status_code == 200
    assert browser_client(admin).get(path).status_code == 200
    assert browser_client(seller).get(path).status_code == 403
    assert browser_client(outsider, host=tenant_host(owner.tenant)).get(path).status_code == 302


@pytest.mark.parametrize("path", ["XXX/", "EUR/", "KWD/", "KWD/remove/", "usd/"])
def test_a_currency_that_is_not_here(path, owner, browser_client):
    assert browser_client(owner).get(f"{PAGE}{path}").status_code == 404


def test_a_rate_that_is_not_here(owner, browser_client):
    assert browser_client(owner).post(f"{PAGE}rates/{owner.member_id}/remove/").status_code == 404


def test_a_narrow_role_changes_nothing_in_the_service_either(seller):
    for work in (
        lambda: put(seller),
        lambda: services.currency_add(seller, currency="KWD"),
        lambda: services.currency_remove(seller, currency="USD"),
        lambda: services.exchange_rates_import(seller, lines=[]),
        lambda: services.workspace_currency_change(seller, currency="USD"),
    ):
        with pytest.raises(NotAllowed):
            work()


# --- from a file ------------------------------------------------------------------------------------------------------


def test_a_file_is_shown_before_it_is_taken(owner, browser_client):
    put(owner, "USD", "0.9")
    put(owner, "GBP", "1.2")
    client = browser_client(owner)
    text = (
        "currency;date;rate\nUSD;2026-03-31;0,95\nGBP;2026-03-31;1.2\nJPY;2026-03-31;0.006\n"
        "JPY;2026-03-31;0.007\nEUR;2026-03-31;1\nUSD;2026-04-01;0\nUSD;never;1\nnonsense\nUSD;2999-01-01;1\n"
    )
    page = upload(client, text.encode()).content.decode()
    for said in ("stand in line 4 already", "own currency", "vanish", "must be a date", "not a currency", "future"):
        assert said in page
    assert ExchangeRate.objects.count() == 2
    lines = upload(client, text.encode()).context["lines"]
    assert lines.splitlines() == ["JPY;2026-03-31;0.006000000000000", "USD;2026-03-31;0.950000000000000"]
    assert client.post(f"{PAGE}take/", {"lines": lines}).status_code == 302
    assert {(one.currency, one.rate) for one in ExchangeRate.objects.all()} == {
        ("USD", Decimal("0.95")),
        ("GBP", Decimal("1.2")),
        ("JPY", Decimal("0.006")),
    }
    kept.clear()
    with shared():
        version = Tenant.objects.get(id=owner.tenant.id).metadata_version
    assert version > owner.tenant.metadata_version
    assert "JPY" in workspace_settings(owner.tenant).currencies


def ten_thousand() -> bytes:
    first = date(1999, 1, 4)
    return "\n".join(
        f"{('USD', 'GBP')[number % 2]};{first + timedelta(days=number // 2)};1.{number:05}" for number in range(10_000)
    ).encode()


@pytest.mark.slow("reads ten thousand lines")
def test_ten_thousand_lines_at_once(owner, browser_client, django_assert_max_num_queries):
    client = browser_client(owner)
    page = upload(client, ten_thousand())
    assert page.context["counts"]["added"] == 10_000
    with django_assert_max_num_queries(60):
        assert client.post(f"{PAGE}take/", {"lines": page.context["lines"]}).status_code == 302
    assert ExchangeRate.objects.count() == 10_000
    answer = upload(client, ten_thousand() + b"\nUSD;1998-01-01;1")
    assert answer.status_code == 422
    assert "more than 10000 rates" in answer.content.decode()


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\n \n", "empty"),
        (b"a\x00b;c;d", "not a text file"),
        (b"currency;date;rate\n", "no rate"),
        (b"<a><b></a>", "broken in line 1"),
        (b"<a/>", "no rate"),
        (b'<!DOCTYPE a [<!ENTITY b "cc">]><a>&b;</a>', "declarations"),
        (b'<Cube><Cube time="2026-03-31"><Cube currency="SEK" rate="11"/></Cube></Cube>', "in use here"),
        (b"x" * (8 * 1024 * 1024 + 1), "too large"),
    ],
)
def test_bad_files(data, says, owner, browser_client):
    answer = upload(browser_client(owner), data)
    assert answer.status_code == 422
    assert says in answer.content.decode()


ECB_CSV = b"Date, USD, JPY, GBP, SEK, \n31 March 2026, 1.25, 160.00, 0.80, 11.0, \n"
ECB_XML = b"""<?xml version="1.0"?><gesmes:Envelope xmlns:gesmes="g" xmlns="e"><Cube><Cube time="2026-03-31">
<Cube currency="USD" rate="1.25"/><Cube currency="JPY" rate="160"/><Cube currency="GBP" rate="0.8"/>
</Cube></Cube></gesmes:Envelope>"""


@pytest.mark.parametrize("data", [ECB_CSV, ECB_XML])
def test_reference_rates_are_turned_round(data):
    sheet = sheet_read(data, own="EUR", wanted=["USD", "GBP"])
    assert [(one.currency, Decimal(one.rate)) for one in sheet.lines] == [
        ("USD", Decimal("0.8")),
        ("GBP", Decimal("1.25")),
    ]
    assert "JPY" in sheet.left_out


@pytest.mark.parametrize("data", [ECB_CSV, ECB_XML])
def test_reference_rates_cross_over_the_euro(data):
    sheet = sheet_read(data, own="USD", wanted=["EUR", "GBP", "JPY"])
    found = {one.currency: Decimal(one.rate) for one in sheet.lines}
    assert found == {"EUR": Decimal("1.25"), "GBP": Decimal("1.5625"), "JPY": Decimal("0.0078125")}


def test_reference_rates_do_not_reach_every_currency():
    with pytest.raises(WorkspaceError, match="no rate of KWD"):
        sheet_read(ECB_CSV, own="KWD", wanted=["EUR"])


def test_what_is_taken_is_judged_again(owner):
    line = Line(1, "USD", "2026-03-31", "0.9")
    assert services.exchange_rates_import(owner, lines=[line])[Fate.ADDED] == 1
    assert services.exchange_rates_import(owner, lines=[line])[Fate.SAME] == 1


# --- in use -----------------------------------------------------------------------------------------------------------


def test_a_currency_with_amounts_is_not_removed_without_a_word(owner, browser_client):
    factories.deal(owner, amount="10", currency="USD")
    with pytest.raises(Conflict):
        services.currency_remove(owner, currency="USD")
    client = browser_client(owner)
    assert "1 amount is in USD" in client.get(f"{PAGE}USD/remove/").content.decode()
    assert client.post(f"{PAGE}USD/remove/").status_code == 409
    assert client.post(f"{PAGE}USD/remove/", {"knowing": "1"}).status_code == 302
    assert "not offered" in client.get(PAGE).content.decode()
    form = client.get("/deals/new/").content.decode()
    assert '<option value="USD"' not in form
    assert client.post(f"{PAGE}use/", {"currency": "USD"}).status_code == 302
    assert '<option value="USD"' in client.get("/deals/new/").content.decode()


def test_adding_what_is_no_currency(owner, browser_client):
    for code in ("", "EUR", "ZZZ", "usd"):
        assert browser_client(owner).post(f"{PAGE}use/", {"currency": code}).status_code == 422


# --- another currency for the workspace -------------------------------------------------------------------------------

rates = st.decimals(min_value="0.01", max_value="100", places=4, allow_nan=False, allow_infinity=False)
tables = st.dictionaries(
    st.tuples(st.sampled_from(["USD", "GBP", "JPY"]), st.integers(0, 20)), rates, min_size=1, max_size=20
)


@given(tables, st.integers(0, 25))
def test_a_sum_of_any_day_is_worth_the_same_after_the_change(in_tenant, table, after):
    """In EUR by the old rates, turned into USD, and in USD by the new ones."""
    rows = [
        ExchangeRate(currency=code, on=DAY + timedelta(days=days), rate=rate) for (code, days), rate in table.items()
    ]
    effect, made = _rebased(rows, old="EUR", new="USD")
    on = DAY + timedelta(days=after)

    def at(found: list[ExchangeRate]) -> dict[str, Rate]:
        ordered = sorted((one for one in found if one.on <= on), key=lambda one: one.on)
        return {one.currency: Rate(Decimal(one.rate), one.on) for one in ordered}

    before, now = at(rows), at(made)
    if effect.first is None or on < effect.first:
        assert now == {}
        return
    for code in ("EUR", *(set(before) - {"USD"})):
        exact = (before[code].rate if code in before else Decimal(1)) / before["USD"].rate
        assert abs(now[code].rate - exact) <= Decimal("1e-9")
    assert set(now) - {"EUR"} == set(before) - {"USD"}


def test_the_workspaces_currency_changes(owner, browser_client):
    on = timezone.localdate() - timedelta(days=2)
    put(owner, "USD", "0.8", on)
    put(owner, "GBP", "1.2", on - timedelta(days=5))
    client = browser_client(owner)
    said = client.get(f"{PAGE}own/", {"own-currency": "USD"}).content.decode()
    assert "1 rate from before" in said
    assert client.post(f"{PAGE}own/", {"own-currency": "USD"}).status_code == 302
    found = {one.currency: one.rate for one in ExchangeRate.objects.all()}
    assert found == {"EUR": Decimal("1.25"), "GBP": Decimal("1.5")}
    with shared():
        assert Tenant.objects.get(id=owner.tenant.id).currency == "USD"
    assert "EUR · Euro" in client.get(PAGE).content.decode()


def test_without_a_rate_nothing_leads_over_and_it_is_said(owner, browser_client):
    put(owner, "GBP", "1.2")
    said = browser_client(owner).get(f"{PAGE}own/", {"own-currency": "USD"}).content.decode()
    assert "nothing leads over" in said
    assert "1 rate from before that is dropped" in said


# --- where sums are shown ---------------------------------------------------------------------------------------------


def test_sums_of_a_list_are_in_the_workspaces_currency_with_the_day_of_their_rates(owner, browser_client):
    put(owner, "USD", "0.5", timezone.localdate() - timedelta(days=3))
    factories.deal(owner, amount="100", currency="USD")
    factories.deal(owner, amount="30", currency="EUR")
    factories.deal(owner, amount="7", currency="KWD")
    foot = browser_client(owner).get("/deals/totals/").content.decode()
    assert "≈ €80" in foot
    assert "rates of" in foot
    assert "without KWD" in foot
    assert "KWD\u00a07" in foot
    home = browser_client(owner).get("/").content.decode()
    assert "≈ €80" in home
    assert "without KWD" in home


def test_one_currency_is_exact(owner, browser_client):
    factories.deal(owner, amount="30", currency="EUR")
    foot = browser_client(owner).get("/deals/totals/").content.decode()
    assert "€30" in foot
    assert "≈" not in foot


def test_decimals_of_currencies_are_kept(owner, browser_client):
    client = browser_client(owner)
    stage = factories.deal(owner).stage_id
    factories.currency_used(owner, "JPY", "KWD")
    sent = {"name": "Yen", "stage": str(stage), "currency": "JPY"}
    assert client.post("/deals/new/", {**sent, "amount": "10.5"}).status_code == 422
    assert client.post("/deals/new/", {**sent, "amount": "1,050"}).status_code in (200, 302)
    assert client.post("/deals/new/", {**sent, "name": "Dinar", "currency": "KWD", "amount": "1.234"}).status_code in (
        200,
        302,
    )
    page = client.get("/deals/").content.decode()
    assert "¥1,050" in page
    assert "KWD\u00a01.234" in page
    assert (decimals("JPY"), decimals("KWD"), decimals("BHD")) == (0, 3, 3)
    assert converted({}, to="JPY", on=DAY).amount == 0


# --- by the API -------------------------------------------------------------------------------------------------------


def test_rates_by_the_api(owner, seller, outsider, api):
    program = api(owner, scopes=["settings:write"])
    made = program.post("/api/v1/exchange-rates", {"currency": "USD", "on": "2026-03-31", "rate": "0.92"})
    assert made.status_code == 200
    assert made.json()["rate"] == "0.92"
    path = f"/api/v1/exchange-rates/{made.json()['id']}"
    assert program.get("/api/v1/exchange-rates?currency=USD").json()["data"] == [made.json()]
    assert program.get("/api/v1/exchange-rates?currency=GBP").json()["data"] == []
    assert api(seller).get(path).status_code == 200
    assert api(outsider).get(path).status_code == 404
    for body in (
        {"currency": "USD", "on": "2026-03-31", "rate": 0},
        {"currency": "USD", "on": "2026-03-31", "rate": "0,92"},
        {"currency": "USD", "on": "soon", "rate": "1"},
        {"currency": "EUR", "on": "2026-03-31", "rate": "1"},
    ):
        assert program.post("/api/v1/exchange-rates", body).status_code == 422
    sent = {"currency": "USD", "on": "2026-03-31", "rate": "1"}
    assert api(owner, scopes=["deal:read"]).post("/api/v1/exchange-rates", sent).status_code == 403
    assert api(seller, scopes=["settings:write"]).post("/api/v1/exchange-rates", sent).status_code == 403
    assert program.delete(path).status_code == 204
    assert program.delete(path).status_code == 404


def test_the_workspace_by_the_api(owner, api):
    found = api(owner, scopes=["deal:read"]).get("/api/v1/workspace").json()
    assert found["currency"] == "EUR"
    assert found["currencies"] == ["EUR", "USD", "GBP"]
    assert found["working_hours"]["0"] == [["09:00", "17:00"]]
    assert found["working_hours"]["6"] == []


def test_a_form_with_too_much_in_it_is_not_even_read(owner, browser_client):
    answer = upload(browser_client(owner), b"x" * (12 * 1024 * 1024 + 1))
    assert answer.status_code in (400, 413)


def test_many_rates_at_once_by_the_api(owner, api):
    program = api(owner, scopes=["settings:write"])
    rates = [
        {"currency": "JPY", "on": "2026-03-31", "rate": "0.0061"},
        {"currency": "KWD", "on": "2026-03-31", "rate": "2.98"},
        {"currency": "USD", "on": "2026-03-31", "rate": "0"},
        "nonsense",
    ]
    refused = program.post("/api/v1/exchange-rates", {"rates": rates})
    assert (refused.status_code, [one["index"] for one in refused.json()["error"]["errors"]]) == (422, [2, 3])
    assert not ExchangeRate.objects.filter(currency="JPY").exists()
    answer = program.post("/api/v1/exchange-rates", {"rates": rates[:2]})
    assert answer.json() == {"added": 2, "changed": 0, "same": 0, "refused": 0}
    assert {"JPY", "KWD"} <= set(program.get("/api/v1/workspace").json()["currencies"])
    assert program.post("/api/v1/exchange-rates", {"rates": [{}] * 10_001}).status_code == 422
