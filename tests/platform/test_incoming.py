"""A body is read whole, however it comes, or refused with a word: nothing is done with a part of it."""

import gzip
from io import BytesIO
from typing import Any

import pytest
from django.test import Client, RequestFactory

from config import incoming
from config.incoming import WebRequest
from tenants.actors import TenantRef
from tenants.workspaces.hosts import tenant_host
from tests import factories

pytestmark = pytest.mark.django_db

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
PARTS = "multipart/form-data; boundary=edge"


def send(
    client: Any, method: str, path: str, body: bytes, kind: str = JSON, *, length: str | None = None, **headers: str
) -> Any:
    """A request as the web server hands it on: without ``length`` it came in chunks."""
    given: dict[str, Any] = {"wsgi.input": BytesIO(body), "CONTENT_LENGTH": length or "", "CONTENT_TYPE": kind}
    if length is None:
        given["HTTP_TRANSFER_ENCODING"] = "chunked"
    given |= {f"HTTP_{name.upper()}": value for name, value in headers.items()}
    return client.generic(method, path, b"", **given)


def parts(**values: str) -> bytes:
    lines = [
        f'--edge\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{one}\r\n' for name, one in values.items()
    ]
    return "".join([*lines, "--edge--\r\n"]).encode()


@pytest.fixture
def program(api: Any, owner: Any) -> Any:
    return api(owner).client


@pytest.fixture
def deal(owner: Any) -> Any:
    return factories.deal(owner, amount="1")


def changed(deal: Any) -> str:
    deal.refresh_from_db()
    return f"{deal.amount.normalize():f}"


def code(answer: Any) -> tuple[int, str]:
    error = answer.json()["error"]
    assert error["request_id"] == answer.headers["Request-Id"]
    return answer.status_code, error["code"]


def test_a_body_in_chunks_does_what_it_says(program: Any, deal: Any) -> None:
    answer = send(program, "PATCH", f"/api/v1/deals/{deal.id}", b'{"amount": "2"}')
    assert (answer.status_code, answer.json()["amount"]) == (200, "2.00")
    made = send(program, "POST", "/api/v1/calls", b'{"name": "Ring Ada", "starts_at": "2027-01-04T10:00:00Z"}')
    assert (made.status_code, made.json()["name"]) == (201, "Ring Ada")
    query = b'{"filter": {"field": "amount", "op": "gt", "value": "2"}}'
    assert send(program, "POST", "/api/v1/deals/query", query).json()["data"] == []


@pytest.mark.parametrize("length", [True, False], ids=["with its length", "in chunks"])
def test_a_packed_body_is_unpacked(program: Any, deal: Any, length: bool) -> None:
    body = gzip.compress(b'{"amount": ') + gzip.compress(b'"3"}')
    said = str(len(body)) if length else None
    answer = send(program, "PATCH", f"/api/v1/deals/{deal.id}", body, length=said, content_encoding="gzip")
    assert (answer.status_code, changed(deal)) == (200, "3")


BIG = b'{"description": "' + b"x" * (5 * 1024 * 1024) + b'"}'
PACKED = gzip.compress(b'{"amount": "4"}', mtime=0)


@pytest.mark.parametrize(
    ("body", "length", "headers", "expected"),
    [
        (BIG, None, {}, (413, "body_too_large")),
        (BIG, str(len(BIG)), {}, (413, "body_too_large")),
        (gzip.compress(BIG, mtime=0), None, {"content_encoding": "gzip"}, (413, "body_too_large")),
        (b'{"amount": "4"', None, {}, (400, "invalid_json")),
        (b'{"amount": "4"}', "99", {}, (400, "incomplete_body")),
        (PACKED[:-3], None, {"content_encoding": "gzip"}, (400, "incomplete_body")),
        (b'{"amount": "4"}', None, {"content_encoding": "gzip"}, (400, "bad_gzip")),
        (PACKED + b"more", None, {"content_encoding": "gzip"}, (400, "bad_gzip")),
        (b'{"amount": "4"}', None, {"content_encoding": "br"}, (415, "unsupported_encoding")),
        (b'{"amount": "4"}', None, {"transfer_encoding": "gzip, chunked"}, (400, "bad_transfer")),
        (b'{"amount": "4"}', "4 2", {}, (400, "bad_length")),
        (b"", None, {}, (400, "empty_body")),
        (b"", "0", {}, (400, "empty_body")),
        (b"", "", {}, (400, "empty_body")),
    ],
)
def test_what_is_not_whole_is_refused(
    program: Any, deal: Any, body: bytes, length: str | None, headers: dict[str, str], expected: tuple[int, str]
) -> None:
    answer = send(program, "PATCH", f"/api/v1/deals/{deal.id}", body, length=length, **headers)
    assert (code(answer), changed(deal)) == (expected, "1")


def test_a_body_of_another_kind_says_its_length(program: Any) -> None:
    assert code(send(program, "POST", "/api/v1/deals", b"name=A", FORM)) == (411, "length_required")


@pytest.mark.parametrize("path", ["/companies", "/companies/query", "/companies/bulk", "/companies/export"])
def test_a_route_with_a_body_wants_one(program: Any, path: str) -> None:
    assert code(send(program, "POST", f"/api/v1{path}", b"", length="0")) == (400, "empty_body")


def test_a_route_without_a_body_takes_none(program: Any, owner: Any) -> None:
    company = factories.company(owner)
    path = f"/api/v1/companies/{company.id}"
    assert program.delete(path).status_code == 204
    assert code(send(program, "POST", f"{path}/restore", b'{"deep": true}')) == (400, "unknown_parameter")
    assert code(send(program, "POST", f"{path}/restore", b"{")) == (400, "invalid_json")
    assert send(program, "POST", f"{path}/restore", b"", length="0").status_code == 200


@pytest.mark.parametrize("length", [True, False], ids=["with its length", "in chunks"])
def test_a_form_in_parts_is_taken_when_its_end_is_there(owner: Any, browser_client: Any, length: bool) -> None:
    from crm.people.models import Company

    client, body = browser_client(owner), parts(name="In parts", description="long")
    cut = body[: body.index(b"ng\r\n--edge--")]
    said = str(len(body)) if length else None
    assert send(client, "POST", "/companies/new/", cut, PARTS, length=said).status_code == 400
    assert not Company.objects.exists()
    assert send(client, "POST", "/companies/new/", body, PARTS, length=said).status_code == 302
    assert Company.objects.get().description == "long"


@pytest.mark.parametrize("kind", [JSON, "text/plain", "application/octet-stream", "application/xml", ""])
def test_a_page_takes_no_body_of_another_kind_for_an_empty_form(owner: Any, browser_client: Any, kind: str) -> None:
    contact = factories.contact(owner, phones=["+49 30 901820"])
    body, path = b'{"phones": "+49 30 901821"}', f"/contacts/{contact.pk}/edit/phones/"
    answer = send(browser_client(owner), "POST", path, body, kind, length=str(len(body)))
    contact.refresh_from_db()
    assert (answer.status_code, len(contact.phones)) == (415, 1)


def test_a_form_of_which_half_arrived_is_not_saved(owner: Any, browser_client: Any) -> None:
    from crm.people.models import Company

    client, body = browser_client(owner), b"name=Whole&description=a+long+text"
    short = send(client, "POST", "/companies/new/", body[:-8], FORM, length=str(len(body)))
    assert (short.status_code, "Only part of this arrived" in short.content.decode()) == (400, True)
    assert send(client, "POST", "/companies/new/", body, FORM).status_code == 411
    assert not Company.objects.exists()
    assert send(client, "POST", "/companies/new/", body, FORM, length=str(len(body))).status_code == 302


@pytest.mark.parametrize("path", ["/companies/new/", "/settings/currencies/file/"])
@pytest.mark.parametrize("kind", [FORM, PARTS])
def test_a_page_says_that_it_is_too_much(owner: Any, browser_client: Any, path: str, kind: str) -> None:
    answer = send(browser_client(owner), "POST", path, b"x", kind, length=str(13 * 1024 * 1024))
    assert (answer.status_code, "This is too large" in answer.content.decode()) == (413, True)


def test_the_public_host_says_it_too(public_client: Any) -> None:
    answer = send(public_client, "POST", "/signin/", b"x" * (6 * 1024 * 1024), PARTS[:-4] + "x", length=None)
    assert answer.status_code == 400
    assert send(public_client, "POST", "/signin/", b"x", FORM, length=str(6 * 1024 * 1024)).status_code == 413


@pytest.mark.parametrize("query", ["a=b", "&".join(f"a{number}=1" for number in range(3000))])
@pytest.mark.parametrize("charset", ["base64", "rot13", "utf-16", "latin-1", "no-such", "utf-8"])
def test_any_head_makes_a_request_that_can_be_answered(query: str, charset: str) -> None:
    kind = f"{FORM}; charset={charset}"
    request = WebRequest({**RequestFactory().post("/").environ, "QUERY_STRING": query, "CONTENT_TYPE": kind})
    if (query, charset) == ("a=b", "utf-8"):
        incoming.read_query(request)
        return
    with pytest.raises(incoming.Refusal) as refusal:
        incoming.read_query(request)
    assert refusal.value.status == (400 if charset == "utf-8" else 415)


@pytest.mark.parametrize("kind", [f"{FORM}; charset=latin-1", f"{JSON}; charset=utf-16"])
def test_a_text_in_another_encoding_is_refused(program: Any, owner: Any, browser_client: Any, kind: str) -> None:
    assert code(send(program, "POST", "/api/v1/companies", b"{}", kind, length="2")) == (415, "unknown_charset")
    assert send(browser_client(owner), "POST", "/companies/new/", b"name=A", kind, length="6").status_code == 415


def test_thousands_of_parameters_are_refused_on_pages_and_by_the_api(
    owner: Any, browser_client: Any, program: Any
) -> None:
    many = "&".join(f"a{number}=1" for number in range(3000))
    page = browser_client(owner).get(f"/companies/?{many}")
    assert (page.status_code, "At most 2000 parameters" in page.content.decode()) == (400, True)
    assert code(program.get(f"/api/v1/companies?{many}")) == (400, "too_many_parameters")
    form = {f"a{number}": "1" for number in range(3000)}
    assert browser_client(owner).post("/companies/new/", form).status_code == 400


@pytest.mark.parametrize("path", ["/settings/currencies/%00/", "/companies/%00/", "/%00", "/unsubscribe/%00/"])
def test_an_address_with_a_nul_is_nothing(owner: Any, browser_client: Any, path: str) -> None:
    assert browser_client(owner).get(path).status_code == 404


@pytest.mark.parametrize("sign", ["%00", "%01", "%0A", "%0D", "%1B", "%7F", "%C2%85", "%E2%80%A8"])
def test_no_address_holds_a_sign_that_nobody_sees(owner: Any, browser_client: Any, sign: str) -> None:
    client = browser_client(owner)
    for path in ("/settings/currencies/{}/", "/companies/{}/", "/{}", "/settings/roles/{}/", "/x{}y/"):
        assert client.get(path.format(sign)).status_code == 404


@pytest.mark.parametrize("name", ["session", "csrf", "browser", "nonce"])
@pytest.mark.parametrize("value", [r'"\000"', r'"abcdefgh\000\012"', "\x01\x02" * 20])
@pytest.mark.parametrize("host", ["public", "workspace"])
def test_a_cookie_of_signs_that_nobody_sees_is_no_cookie(
    tenant_a: TenantRef, db: None, name: str, value: str, host: str
) -> None:
    """A quoted cookie may name any byte by its number, NUL too."""
    own = tenant_host(tenant_a) if host == "workspace" else "localhost"
    client = Client(headers={"host": own, "cookie": f"{name}_8000={value}; {name}={value}"})
    assert client.get("/").status_code in {200, 302}
    assert client.post("/signin/", {"email": "a@b.example"}).status_code < 500
