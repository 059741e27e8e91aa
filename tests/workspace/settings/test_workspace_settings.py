"""Settings → Workspace, Working hours & holidays, Address and Personal."""

import zlib
from datetime import date, time, timedelta
from io import BytesIO
from typing import Any

import pytest
from django.conf import settings as django_settings
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from PIL import Image

from crm.records.models import Event
from crm.workspace.actors import actor_for_user
from crm.workspace.configuration import formats_of, kept, workspace_settings
from crm.workspace.errors import NotAllowed, WorkspaceError
from crm.workspace.models import Holiday, Member, Notification
from crm.workspace.settings import services
from crm.workspace.settings.logos import file_name, logo_set
from tenants.db.scopes import shared, tenant_scope
from tenants.models import Domain, Tenant
from tenants.workspaces.hosts import subdomain_host, tenant_host
from tests import factories
from tests.conftest import session_key

pytestmark = pytest.mark.django_db
WORKSPACE = {"name": "Alder", "locale": "en", "time_zone": "Europe/Berlin"}


def fresh(actor: Any) -> Any:
    """The settings as the next request would find them."""
    kept.clear()
    return workspace_settings(actor.tenant)


def picture(kind: str = "PNG", size: tuple[int, int] = (300, 200), **options: Any) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, "teal").save(out, kind, **options)
    return out.getvalue()


# --- name and formats -------------------------------------------------------------------------------------------------


def test_formats_hold_for_all_who_chose_none(owner, seller, browser_client):
    factories.deal(owner, amount="1234.5")
    client = browser_client(owner)
    sent = {**WORKSPACE, "number_format": "point_comma", "date_format": "dmy_dot", "time_format": "24", "week_start": 6}
    assert client.post("/settings/workspace/", sent).status_code == 302
    kept.clear()
    assert "€1.234,50" in browser_client(seller).get("/deals/").content.decode()
    Member.objects.filter(id=seller.member_id).update(number_format="comma_point")
    assert "€1,234.50" in browser_client(seller).get("/deals/").content.decode()
    assert formats_of(fresh(owner)).week_start == 6
    assert Event.objects.filter(type="settings.updated").exists()


def test_an_amount_is_typed_as_one_writes_numbers(owner, browser_client):
    deal = factories.deal(owner, amount="1234.5")
    Member.objects.filter(id=owner.member_id).update(number_format="point_comma")
    client = browser_client(owner)
    form = client.get(f"/deals/{deal.id}/edit/amount/").content.decode()
    assert 'value="1234,50"' in form
    for typed, stored in (("2.345,60", "2345.60"), ("2345.6", "2345.60"), ("7", "7.00")):
        assert client.post(f"/deals/{deal.id}/edit/amount/", {"amount": typed, "currency": "EUR"}).status_code < 400
        deal.refresh_from_db()
        assert f"{deal.amount:.2f}" == stored
    refused = client.post(f"/deals/{deal.id}/edit/amount/", {"amount": "1,2,3", "currency": "EUR"})
    assert refused.status_code == 422
    assert "such as 1234,56" in refused.content.decode()


def test_a_filter_is_typed_and_shown_so_too(owner, browser_client):
    factories.deal(owner, name="Small", amount="10")
    factories.deal(owner, name="Large", amount="2500.5")
    Member.objects.filter(id=owner.member_id).update(number_format="point_comma")
    client = browser_client(owner)
    sent = {"row": "0", "c0.field": "amount", "c0.was": "amount", "c0.op": "gte", "c0.value": "2.500,5"}
    answer = client.get("/deals/filter/", {**sent, "match": "all", "apply": "1"})
    assert answer.status_code == 302
    assert "2500.5" in answer["Location"]
    page = client.get(answer["Location"]).content.decode()
    assert "Large" in page
    assert "Small" not in page
    assert "2.500,5" in page


@pytest.mark.parametrize("field", ["locale", "time_zone", "number_format", "date_format", "time_format", "week_start"])
def test_unknown_choices_are_refused(field, owner, browser_client):
    answer = browser_client(owner).post("/settings/workspace/", {**WORKSPACE, field: "nonsense"})
    assert answer.status_code == 422
    assert "nonsense" in answer.content.decode()


def test_a_name_is_needed(owner, browser_client):
    for name in ("", " ", "\x00", "\u202e\u202e"):
        assert browser_client(owner).post("/settings/workspace/", {**WORKSPACE, "name": name}).status_code == 422


def test_the_example_follows_what_is_chosen(seller, browser_client):
    client = browser_client(seller)
    shown = client.get("/settings/formats/", {"number_format": "apostrophe_point"}).content.decode()
    assert "1’234’567" in shown
    assert client.get("/settings/formats/", {"number_format": "nonsense"}).status_code == 200


PAGES = ["/settings/workspace/", "/settings/hours/", "/settings/address/"]


@pytest.mark.parametrize("path", PAGES)
def test_who_may_open_them(path, owner, admin, manager, seller, browser_client):
    assert browser_client(owner).get(path).status_code == 200
    assert browser_client(admin).get(path).status_code == 200
    for narrow in (manager, seller):
        assert browser_client(narrow).get(path).status_code == 403
        assert browser_client(narrow).post(path, WORKSPACE).status_code == 403


def test_the_services_ask_themselves(seller):
    for work in (
        lambda: services.formats_update(seller, number_format=""),
        lambda: services.working_hours_set(seller, hours={}),
        lambda: services.holidays_add(seller, days=[(date(2026, 1, 1), "x")]),
        lambda: services.address_change(seller, subdomain="elsewhere"),
        lambda: logo_set(seller, upload=None),
    ):
        with pytest.raises(NotAllowed):
            work()


@pytest.mark.parametrize(("path", "most"), [("/settings/workspace/", 10), ("/settings/hours/", 12)])
def test_queries_of_the_pages(path, most, owner, browser_client, django_assert_max_num_queries):
    client = browser_client(owner)
    client.get(path)
    with django_assert_max_num_queries(most):
        client.get(path)


# --- the picture ------------------------------------------------------------------------------------------------------


def upload(client: Client, data: bytes, name: str = "logo.png") -> Any:
    return client.post("/settings/workspace/logo/", {"logo": SimpleUploadedFile(name, data)})


@pytest.fixture
def files(settings, tmp_path):
    settings.MEDIA_ROOT = tmp_path
    return tmp_path


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_a_picture_is_drawn_anew_and_only_members_see_it(
    kind, files, owner, seller, outsider, browser_client, django_capture_on_commit_callbacks
):
    client = browser_client(owner)
    assert upload(client, picture(kind)).status_code == 302
    token = fresh(owner).logo
    path = f"/logo/{token}/256/"
    answer = browser_client(seller).get(path)
    assert answer.status_code == 200
    assert answer["Content-Type"] == "image/png"
    assert "private" in answer["Cache-Control"]
    with Image.open(BytesIO(answer.content)) as found:
        assert found.size == (256, 256)
    assert default_storage.exists(file_name(owner.tenant.id, token, 64))
    assert f"/logo/{token}/64/" in client.get("/settings/workspace/").content.decode()
    assert browser_client(outsider).get(path).status_code == 404
    assert browser_client(outsider, host=tenant_host(owner.tenant)).get(path).status_code == 302
    for wrong in (f"/logo/{token}/65/", f"/logo/{token[:-1]}0x/64/", "/logo/x/64/"):
        assert client.get(wrong).status_code == 404
    with django_capture_on_commit_callbacks(execute=True):
        assert client.post("/settings/workspace/logo/", {"remove": "1"}).status_code == 302
    assert fresh(owner).logo == ""
    assert client.get(path).status_code == 404
    assert not default_storage.exists(file_name(owner.tenant.id, token, 64))


def test_what_a_camera_wrote_into_it_is_gone(files, owner, browser_client):
    exif = Image.Exif()
    exif[0x010E] = "home address"
    assert upload(browser_client(owner), picture("JPEG", exif=exif)).status_code == 302
    with default_storage.open(file_name(owner.tenant.id, fresh(owner).logo, 256)) as file:
        assert b"home address" not in file.read()


def bomb() -> bytes:
    """A PNG of a few bytes that says it is 60,000 by 60,000."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return len(data).to_bytes(4) + kind + data + zlib.crc32(kind + data).to_bytes(4)

    head = (60_000).to_bytes(4) * 2 + bytes([8, 0, 0, 0, 0])
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b"0" * 99)) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "PNG, JPEG or WebP"),
        (b"GIF89a" + b"\0" * 100, "PNG, JPEG or WebP"),
        (picture("PNG")[:200], "PNG, JPEG or WebP"),
        (bomb(), "many pixels"),
        (picture("PNG", (8, 8)), "too small"),
        (b"\x89PNG" + b"\0" * (2 * 1024 * 1024), "too large"),
        (b"", "empty"),
    ],
)
def test_bad_pictures(data, says, files, owner, browser_client):
    answer = upload(browser_client(owner), data)
    assert answer.status_code == 422
    assert says in answer.content.decode()
    assert not list(files.rglob("*.png"))


def test_no_picture_at_all(owner, browser_client):
    assert browser_client(owner).post("/settings/workspace/logo/").status_code == 422


# --- working hours and holidays ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("typed", "read"),
    [
        ("", ""),
        ("9-17", "09:00–17:00"),
        ("13:30–17, 9.00-12.30", "09:00–12:30, 13:30–17:00"),
        ("9am-5pm", "09:00–17:00"),
        ("12am-12pm; 12:30 pm to 23:59", "00:00–12:00, 12:30–23:59"),
    ],
)
def test_hours_as_people_type_them(typed, read):
    assert services.spans_text(services.spans_read(typed)) == read


@pytest.mark.parametrize("typed", ["9", "9-", "17-9", "9-9", "9-12, 11-13", "25-26", "9:75-10", "x-y", "13pm-14pm"])
def test_bad_hours_are_refused(typed):
    with pytest.raises(WorkspaceError):
        services.spans_read(typed)


def test_hours_are_kept_by_weekday(owner, browser_client):
    client = browser_client(owner)
    assert client.post("/settings/hours/", {"day_0": "9-12, 13-17", "day_5": "10-12"}).status_code == 302
    hours = fresh(owner).working_hours
    assert hours[0] == ((time(9), time(12)), (time(13), time(17)))
    assert hours[5] == ((time(10), time(12)),)
    assert hours[1] == ()
    answer = client.post("/settings/hours/", {"day_0": "9-12, 11-13"})
    assert answer.status_code == 422
    assert "overlap" in answer.content.decode()


def test_holidays_by_hand(owner, browser_client):
    client, day = browser_client(owner), timezone.localdate() + timedelta(days=40)
    sent = {"on": day.isoformat(), "name": "Founders' day"}
    assert client.post("/settings/hours/holidays/", sent).status_code == 302
    assert fresh(owner).holidays[day] == "Founders' day"
    again = client.post("/settings/hours/holidays/", sent)
    assert again.status_code == 422
    assert "already" in again.content.decode()
    for bad in ({**sent, "on": "never"}, {**sent, "on": "1500-01-01"}, {**sent, "name": " "}):
        assert client.post("/settings/hours/holidays/", bad).status_code == 422
    found = Holiday.objects.get()
    assert client.post(f"/settings/hours/holidays/{found.id}/remove/").status_code == 302
    assert client.post(f"/settings/hours/holidays/{found.id}/remove/").status_code == 404
    assert fresh(owner).holidays == {}


def test_holidays_of_a_country_are_offered_and_taken(owner, browser_client):
    client = browser_client(owner)
    page = client.get("/settings/hours/", {"country": "DE", "region": "BY"})
    offered = page.context["suggestions"]
    assert len(offered) > 20
    assert all(one.on >= timezone.localdate() for one in offered)
    first = offered[0]
    sent = {"country": "DE", "region": "BY", "on": [first.on.isoformat(), "2026-99-99", "x", "1999-01-01"]}
    assert client.post("/settings/hours/holidays/take/", sent).status_code == 302
    assert list(Holiday.objects.values_list("on", "name")) == [(first.on, first.name)]
    settings = fresh(owner)
    assert (settings.holiday_country, settings.holiday_region) == ("DE", "BY")
    assert first.on not in {one.on for one in client.get("/settings/hours/").context["suggestions"]}


@pytest.mark.parametrize("place", [{"country": "XX"}, {"country": "DE", "region": "XX"}, {"country": "<b>"}, {}])
def test_places_that_are_not_there(place, owner, browser_client):
    client = browser_client(owner)
    assert client.get("/settings/hours/", place).status_code == 200
    assert client.post("/settings/hours/holidays/take/", {**place, "on": "2026-12-25"}).status_code == 302


# --- the address ------------------------------------------------------------------------------------------------------


def move(client: Client, owner: Any, to: str, confirm: str | None = None) -> Any:
    present = owner.tenant.subdomain if confirm is None else confirm
    return client.post("/settings/address/", {"subdomain": to, "confirm": present})


def test_another_address(owner, seller, browser_client, mailoutbox, django_capture_on_commit_callbacks):
    client = browser_client(owner)
    with django_capture_on_commit_callbacks() as callbacks:
        answer = move(client, owner, "alder-trees")
    assert answer.status_code == 200
    assert "alder-trees.localhost" in answer.content.decode()
    assert len(callbacks) >= Member.objects.filter(state="active").count()
    told = Notification.objects.filter(kind="address_changed")
    assert told.count() == Member.objects.filter(state="active").count()
    assert Event.objects.filter(type="settings.address_changed").exists()
    old = client.get("/deals/?q=a")
    assert old.status_code == 307
    assert old["Location"].startswith("http://alder-trees.localhost")
    assert old["Location"].endswith("/deals/?q=a")
    session = dict(client.cookies.items())
    moved = Client(headers={"host": "alder-trees.localhost"})
    moved.cookies.update(session)
    assert moved.get("/deals/").status_code == 200
    stranger = Client(headers={"host": "alder-trees.localhost"}).get("/deals/")
    assert stranger.status_code == 302
    assert stranger["Location"].startswith("/handover/")


def test_an_address_taken_back_is_good_in_a_browser_that_followed_the_other(owner, browser_client):
    """A redirect that a browser remembers would send it from either address to the other for ever."""
    own = owner.tenant.subdomain
    client = browser_client(owner)
    assert move(client, owner, "alder-trees").status_code == 200
    assert client.get("/deals/")["Cache-Control"] == "no-store"
    moved = browser_client(owner, host="alder-trees.localhost")
    assert move(moved, owner, own, confirm="alder-trees").status_code == 200
    away = moved.get("/deals/")
    assert (away.status_code, away["Cache-Control"]) == (307, "no-store")
    assert away["Location"].startswith(f"http://{own}.localhost")
    assert client.get("/deals/").status_code == 200


def test_programs_are_answered_at_the_old_address_with_a_notice(owner, api, browser_client):
    program = api(owner)
    assert move(browser_client(owner), owner, "alder-trees").status_code == 200
    answer = program.get("/api/v1/deals")
    assert answer.status_code == 200
    assert answer["Deprecation"] == "true"
    assert "alder-trees" in answer["Link"]
    assert answer["Sunset"].endswith("GMT")
    with shared():
        Domain.objects.filter(is_primary=False).update(redirect_until=timezone.now() - timedelta(seconds=1))
    assert program.get("/api/v1/deals").status_code == 404
    assert api(owner, host="api.localhost").get("/api/v1/deals").status_code == 200


@pytest.mark.parametrize(
    ("to", "says"),
    [
        ("www", "reserved"),
        ("adm1n", "reserved"),
        ("a", "3 to 40"),
        ("xn--80ak6aa92e", "hyphens in a row"),
        ("Größe", "a to z"),
        ("a.b", "lower-case letters"),
        ("", "required"),
    ],
)
def test_addresses_that_cannot_be_had(to, says, owner, browser_client):
    answer = move(browser_client(owner), owner, to)
    assert answer.status_code == 422
    assert says in answer.content.decode()


def test_the_present_one_and_another_workspaces_are_refused(owner, outsider, browser_client):
    client = browser_client(owner)
    assert "already" in move(client, owner, owner.tenant.subdomain).content.decode()
    assert "taken" in move(client, owner, outsider.tenant.subdomain).content.decode()


def test_what_another_workspace_gave_up_is_not_to_be_had(owner, outsider, browser_client):
    given_up = outsider.tenant.subdomain
    assert move(browser_client(outsider), outsider, "birch-trees").status_code == 200
    with shared():
        Domain.objects.filter(domain=subdomain_host(given_up)).update(redirect_until=timezone.now() - timedelta(days=1))
    assert "taken" in move(browser_client(owner), owner, given_up).content.decode()


def test_it_must_be_typed(owner, browser_client):
    answer = move(browser_client(owner), owner, "alder-trees", confirm="yes")
    assert answer.status_code == 422
    with shared():
        assert Domain.objects.filter(tenant_id=owner.tenant.id).count() == 1


def test_three_a_day_and_back_again(owner):
    with shared():
        tenant = Tenant.objects.get(id=owner.tenant.id)
    answers = []
    for to in ("alder-one", "alder-two", "alder", "alder-four"):
        with shared():
            ref = tenant.ref()
        with tenant_scope(ref):
            actor = actor_for_user(ref, owner.details["user_id"])
        client = Client(headers={"host": tenant_host(ref)})
        client.cookies[django_settings.SESSION_COOKIE_NAME] = session_key(owner.details["user_id"], ref)
        answers.append(move(client, actor, to).status_code)
    assert answers == [200, 200, 200, 429]
    with shared():
        assert Domain.objects.get(tenant=tenant, is_primary=True).subdomain == "alder"


# --- oneself ----------------------------------------------------------------------------------------------------------


def test_what_one_says_of_oneself(seller, browser_client):
    client = browser_client(seller)
    sent = {
        "name": "Sel Ler",
        "color": "pink",
        "number_format": "space_comma",
        "date_format": "ymd",
        "time_format": "24",
    }
    assert client.post("/settings/personal/", sent).status_code == 302
    found = Member.objects.get(id=seller.member_id)
    assert (found.name, found.color, found.formats) == ("Sel Ler", "pink", ("space_comma", "ymd", "24"))
    for field in ("color", "number_format", "date_format", "time_format", "locale", "time_zone"):
        assert client.post("/settings/personal/", {**sent, field: "nonsense"}).status_code == 422


# --- by the API -------------------------------------------------------------------------------------------------------


def test_the_settings_of_the_workspace_are_changed_by_the_api(owner, seller, api):
    program = api(owner, scopes=["settings:write"])
    sent = {
        "name": "  Alder   & Sons ",
        "time_zone": "Asia/Tokyo",
        "formats": {"numbers": "point_comma", "week_start": 6},
        "working_hours": {"0": [["08:30", "12:00"], ["13:00", "17:00"]]},
        "escalation_hours": 8,
        "currencies": ["EUR", "JPY", "KWD"],
    }
    found = program.patch("/api/v1/workspace", sent).json()
    assert (found["name"], found["time_zone"], found["escalation_hours"]) == ("Alder & Sons", "Asia/Tokyo", 8)
    assert found["formats"] == {"numbers": "point_comma", "dates": None, "times": None, "week_start": 6}
    assert found["working_hours"]["0"] == [["08:30", "12:00"], ["13:00", "17:00"]]
    assert found["working_hours"]["1"] == []
    assert found["currencies"] == ["EUR", "JPY", "KWD"]
    assert program.get("/api/v1/workspace").json() == found

    assert program.patch("/api/v1/workspace", {"currency": "JPY"}).json()["currency"] == "JPY"
    assert program.post("/api/v1/holidays", {"on": "2026-12-24", "name": "Half a day"}).status_code == 201
    assert {"on": "2026-12-24", "name": "Half a day"} in program.get("/api/v1/workspace").json()["holidays"]
    assert program.delete("/api/v1/holidays/2026-12-24").status_code == 204
    assert program.delete("/api/v1/holidays/2026-12-24").status_code == 404


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"name": " "}, "name"),
        ({"time_zone": "Middle/Earth"}, "time_zone"),
        ({"formats": {"numbers": "roman"}}, "formats.numbers"),
        ({"working_hours": {"0": [["17:00", "09:00"]]}}, "hours"),
        ({"working_hours": {"0": "all day"}}, "working_hours"),
        ({"escalation_hours": 0}, "escalation_hours"),
        ({"currencies": ["XXQ"]}, "currency"),
        ({"currency": "XXQ"}, "currency"),
    ],
)
def test_what_cannot_be_a_setting_is_refused_by_the_api_and_nothing_changes(owner, api, body, param):
    program = api(owner, scopes=["settings:write"])
    before = program.get("/api/v1/workspace").json()
    refused = program.patch("/api/v1/workspace", {"locale": before["locale"]} | body)
    assert refused.status_code == 422
    assert refused.json()["error"]["param"] == param
    assert program.get("/api/v1/workspace").json() == before


def test_settings_by_the_api_are_for_who_may_change_them(owner, seller, api):
    assert api(owner, scopes=["deal:write"]).patch("/api/v1/workspace", {"name": "Mine"}).status_code == 403
    assert api(seller, scopes=["settings:write"]).patch("/api/v1/workspace", {"name": "Mine"}).status_code == 403
    assert api(seller).patch("/api/v1/workspace", {"currencies": ["EUR"]}).status_code == 403
    assert api(seller).post("/api/v1/holidays", {"on": "2026-12-24", "name": "Mine"}).status_code == 403
    assert api(owner).patch("/api/v1/workspace", {"colour": "red"}).status_code == 400


def test_a_member_changes_his_own_profile_by_the_api(seller, api):
    program = api(seller)
    sent = {"name": "Ida Seller", "time_zone": "Asia/Tokyo", "formats": {"times": "24"}}
    found = program.patch("/api/v1/me", sent).json()
    assert (found["name"], found["time_zone"], found["locale"]) == ("Ida Seller", "Asia/Tokyo", None)
    assert program.get("/api/v1/me").json() == found
    assert program.patch("/api/v1/me", {"time_zone": None}).json()["time_zone"] is None
    assert program.patch("/api/v1/me", {"time_zone": "Middle/Earth"}).status_code == 422
    assert program.patch("/api/v1/me", {"role": "owner"}).status_code == 400


@pytest.mark.parametrize(
    ("body", "param"),
    [
        ({"working_hours": {"monday": [["09:00", "17:00"]]}}, "working_hours"),
        ({"working_hours": {"0": [["09:00", "17:00"]], "7": []}}, "working_hours"),
        ({"working_hours": {"00": []}}, "working_hours"),
        ({"working_hours": {}}, "working_hours"),
        ({"working_hours": None}, "working_hours"),
        ({"working_hours": {"0": None}}, "working_hours"),
        ({"working_hours": {"0": "09:00-17:00"}}, "working_hours"),
        ({"working_hours": {"0": {"09": "17"}}}, "working_hours"),
        ({"working_hours": {"0": [["17:00", "09:00"]]}}, "hours"),
        ({"working_hours": {"0": [["09:00", "12:00"], ["11:00", "13:00"]]}}, "hours"),
        ({"working_hours": {"0": [["09:00", "12:00", "13:00"]]}}, "working_hours"),
        ({"escalation_hours": True}, "escalation_hours"),
        ({"escalation_hours": None}, "escalation_hours"),
        ({"currencies": None}, "currencies"),
        ({"name": "Other", "working_hours": {"tuesday": []}}, "working_hours"),
    ],
)
def test_what_is_not_understood_of_the_workspace_changes_nothing_of_it(owner, api, body, param):
    program = api(owner, scopes=["settings:write"])
    before = program.get("/api/v1/workspace").json()
    refused = program.patch("/api/v1/workspace", body)
    assert refused.status_code in (400, 422)
    assert refused.json()["error"]["param"] == param
    assert program.get("/api/v1/workspace").json() == before
