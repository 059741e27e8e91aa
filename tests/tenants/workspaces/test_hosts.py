"""Which host is whose, what each answers, and what a request costs in switches."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.db import connection as django_connection
from django.test import Client
from django.utils import timezone

from tenants.db.scopes import shared
from tenants.models import Domain, Session, Tenant
from tenants.workspaces.hosts import public_url, split_host, subdomain_host, subdomain_problem, tenant_host, tenant_url
from tenants.workspaces.subdomains import subdomain_refusal, subdomain_taken
from tests.conftest import session_key
from tests.isolation.routes import routes

pytestmark = pytest.mark.django_db
connection: Any = django_connection


def get(host: str, path: str = "/", **options):
    return Client(headers={"host": host}).get(path, **options)


@pytest.mark.parametrize(
    "host",
    [
        "nobody.localhost",
        "alder.localhost.evil.example",
        "evil.example",
        "127.0.0.1",
        "[::1]",
        "alder..localhost",
        "ALDER.x",
    ],
)
def test_a_host_of_nobody_gets_a_plain_404(host, tenant_a):
    answer = get(host)
    assert answer.status_code == 404
    assert answer.content == b"Not found\n"
    assert not answer.cookies


@pytest.mark.parametrize(
    "host", ["a b", "alder.localhost:port", "<script>", "", "alder.localhost/x", "å.localhost", "a" * 300]
)
def test_what_is_no_host_gets_it_too(host, tenant_a):
    assert get(host).status_code == 404


@pytest.mark.parametrize("host", ["ALDER.localhost", "alder.localhost:8000", "alder.localhost.", "alder.localhost:1"])
def test_case_port_and_final_dot_make_no_other_host(host, tenant_a):
    assert get(host).status_code == 302


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize(
    ("host", "status"),
    [("localhost", 307), ("www.localhost", 307), ("alder.localhost", 307), ("api.localhost", 307)]
    + [(host, 404) for host in ("nobody.localhost", "evil.example", "127.0.0.1", "alder.localhost.evil.example")],
)
def test_only_hosts_of_ours_lead_from_http_to_https(host, status, method, tenant_a, settings):
    """Of any other nobody learns that something answers here."""
    settings.SECURE_SSL_REDIRECT = True
    answer = getattr(Client(headers={"host": host}), method)("/signin/?next=/deals/")
    assert answer.status_code == status
    assert answer.headers.get("Location") == (f"https://{host}/signin/?next=/deals/" if status == 307 else None)
    assert getattr(Client(headers={"host": host}), method)("/signin/", secure=True).status_code != 307


class TestWhatCachesKeep:
    @pytest.mark.slow("opens every page of both hosts")
    def test_pages_of_who_is_signed_in_are_kept_by_none(self, owner, browser_client, public_client, settings):
        """Every page without an id in its address, on both hosts, found or not."""
        public_client.cookies[settings.SESSION_COOKIE_NAME] = session_key(UUID(str(owner.details["user_id"])), None)
        kept, seen = [], 0
        for client, urlconf in ((browser_client(owner), "config.urls_tenant"), (public_client, "config.urls_public")):
            paths = {f"/{route.path}" for route in routes(urlconf) if not route.parameters and "^" not in route.path}
            for path in sorted({path for path in paths if not path.startswith("/api/")} | {"/no/such/page/"}):
                with shared():
                    answer = client.get(path)
                seen += 1
                if "no-store" not in answer.headers.get("Cache-Control", ""):
                    kept.append(path)
        assert seen > 60
        assert kept == []

    def test_what_a_key_reads_is_kept_by_none(self, owner, api):
        for path in ("/api/v1/deals", "/api/v1/me", "/api/v1/openapi.json", "/api/v1/nothing"):
            assert api(owner).get(path)["Cache-Control"] == "no-store"

    def test_what_is_the_same_for_all_may_be_kept(self, owner, browser_client, public_client):
        assert "no-store" not in public_client.get("/").headers.get("Cache-Control", "")
        static = browser_client(owner).get("/static/css/base.css")
        assert static.status_code == 200
        assert "no-store" not in static.headers.get("Cache-Control", "")


@pytest.mark.parametrize("host", ["localhost", "www.localhost", "alder.localhost", "api.localhost", "nobody.localhost"])
@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_health_is_told_on_every_host(host, path, tenant_a):
    assert get(host, path).status_code == 200


def test_nobody_signed_in_is_sent_to_the_door_and_back(tenant_a):
    answer = get(tenant_host(tenant_a), "/deals/?a=1&b=2")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "/handover/?next=/deals/%3Fa%3D1%26b%3D2"


def test_htmx_is_sent_as_a_whole_page(tenant_a):
    answer = get(tenant_host(tenant_a), "/deals/", headers={"HX-Request": "true"})
    assert answer.status_code == 401
    assert answer.headers["HX-Redirect"].startswith("/handover/")


@pytest.mark.parametrize(
    ("headers", "back"),
    [
        ({"Referer": "http://alder.localhost:8000/companies/new/?a=1"}, "/companies/new/%3Fa%3D1"),
        ({"HX-Request": "true", "HX-Current-URL": "http://alder.localhost:8000/deals/board/"}, "/deals/board/"),
        ({"Referer": "http://evil.example/deals/"}, "/"),
        ({"HX-Request": "true", "HX-Current-URL": "http://alder.localhost.evil.example/x/"}, "/"),
        ({"Referer": "http://alder.localhost:8000//evil.example/"}, "/"),
        ({}, "/"),
    ],
)
def test_what_was_sent_by_nobody_comes_back_to_the_page_it_was_typed_on(tenant_a, headers, back):
    answer = Client(headers={"host": tenant_host(tenant_a), **headers}).post("/companies/new/", {"name": "Ahorn"})
    target = answer.headers["HX-Redirect"] if "HX-Request" in headers else answer.headers["Location"]
    assert target == f"/handover/?next={back}"


def test_a_form_left_open_across_a_sign_in_is_led_to_sign_in_or_told_to_load_again(owner, browser_client):
    sent = {"HX-Request": "true", "HX-Current-URL": tenant_url(owner.tenant, "/deals/")}
    nobody = Client(enforce_csrf_checks=True, headers={"host": tenant_host(owner.tenant)})
    answer = nobody.post("/companies/new/", {"name": "Ahorn"}, headers=sent)
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/handover/?next=/deals/")
    signed_in = browser_client(owner)
    signed_in.handler.enforce_csrf_checks = True
    answer = signed_in.post("/companies/new/", {"name": "Ahorn"}, headers=sent)
    assert answer.status_code == 403
    assert "signed in anew" in answer.headers["HX-Trigger"]


@pytest.mark.parametrize(
    ("state", "status"),
    [
        ("reserved", 503),
        ("provisioning", 503),
        ("active", 302),
        ("read_only", 302),
        ("suspended", 403),
        ("deleting", 410),
        ("deleted", 404),
    ],
)
def test_a_workspace_out_of_service_says_so(tenant_a, state, status):
    with shared():
        Tenant.objects.filter(id=tenant_a.id).update(state=state)
    answer = get(tenant_host(tenant_a))
    assert answer.status_code == status
    assert tenant_a.name.encode() not in answer.content
    assert ("Retry-After" in answer.headers) == (status == 503)


def test_a_changed_address_leads_on_for_its_time(tenant_a):
    with shared():
        old = Domain.objects.create(
            tenant_id=tenant_a.id,
            domain=subdomain_host("oak"),
            is_primary=False,
            redirect_until=timezone.now() + timedelta(days=90),
        )
    answer = get(old.domain, "/deals/?q=1")
    assert answer.status_code == 307
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Location"] == tenant_url(tenant_a, "/deals/?q=1")
    with shared():
        Domain.objects.filter(id=old.id).update(redirect_until=timezone.now() - timedelta(seconds=1))
    assert get(old.domain).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        "www", "api", "admin", "mail", "xn--bcher-kva", "a", "ab", "-abc", "abc-", "a_b", "Abc", "a.b", "münchen",
        "аррӏе",
        "a--b", "12345", "office", "mail2", "www-3",
        "supp0rt", "adrnin", "a-d-m-i-n", "vvww", "ma1l", "b" * 41, "a b", "abc\x00", "abc\n", "",
    ],
)  # fmt: skip
def test_reserved_confusable_and_malformed_addresses_are_refused(name):
    assert subdomain_problem(name)


@pytest.mark.parametrize(
    "name",
    [
        "rapport", "rapport-support", "support-rapport", "my-rapport", "rapp0rt", "r4pp0r7", "rap-port", "rapport-eu",
        "getrapport", "login-support", "my-account", "mail-admin", "adminlogin", "supp0rt", "support1", "support-24",
        "account-verify", "secure-login", "sign-in", "login-help", "adrnin", "web-rnail", "app-support",
        "xn--rapport-q2a", "xn-rapport", "pass-word", "signln", "b1lling",
    ],
)  # fmt: skip
def test_names_that_ask_for_trust_are_refused(name):
    assert subdomain_problem(name)


@pytest.mark.parametrize(
    "name",
    [
        "support-berlin",
        "home-office",
        "mediastore",
        "security-karl",
        "reporting",
        "apport",
        "team-alder",
        "helpme",
        "berlin24",
        "office-27779609",
        "shop24",
    ],
)
def test_a_reserved_word_beside_a_name_of_ones_own_is_fine(name):
    assert subdomain_problem(name) is None


@pytest.mark.parametrize(
    ("name", "free"),
    [
        ("morgenlicht", False), ("rnorgenlicht", False), ("m0rgenlicht", False), ("morgenl1cht", False),
        ("morgen-licht", False), ("m0rgen-1icht", False), ("morgenlicht-login", False), ("support-rnorgenlicht", False),
        ("morgenlicht-berlin", True), ("morgenlichter", True), ("abendlicht", True),
    ],
)  # fmt: skip
def test_what_reads_like_somebodys_address_is_not_to_be_had(name, free, tenant_a):
    with shared():
        Domain.objects.create(tenant_id=tenant_a.id, domain="morgenlicht.localhost", is_primary=False)
        assert (subdomain_refusal(name) is None) is free
        assert subdomain_taken(name, by_other_than=tenant_a.id) is None


@pytest.mark.parametrize("name", ["acme", "alder-windows", "4ever", "b2b", "m-und-s", "karl1"])
def test_ordinary_addresses_are_taken(name):
    assert subdomain_problem(name) is None


def test_hosts_are_read_without_port():
    assert split_host("Acme.localhost:8000") == "acme.localhost"
    assert split_host("[::1]:80") == "[::1]"
    assert split_host("acme.localhost:80:80") is None


class TestSwitches:
    """How often a request changes path and role: once for the shared rows it needs, once for its tenant."""

    @pytest.mark.parametrize("path", ["/", "/companies/", "/inbox/", "/nothing/here/"])
    def test_at_most_two_a_page(self, owner, browser_client, path):
        client = browser_client(owner)
        client.get(path)
        client.get(path)
        assert connection.scope_switches <= 2

    def test_the_user_is_known_without_another_switch(self, owner, browser_client):
        answer = browser_client(owner).get("/")
        switches = connection.scope_switches
        assert answer.wsgi_request.user.email == owner.email
        assert connection.scope_switches == switches

    def test_one_on_the_public_host(self, public_client):
        public_client.get("/")
        assert connection.scope_switches <= 1

    def test_shared_rows_cost_three_questions(self, owner, browser_client, django_assert_max_num_queries):
        client = browser_client(owner)
        client.get("/inbox/badge/")
        with django_assert_max_num_queries(30) as captured:
            client.get("/inbox/badge/")
        shared_reads = [query for query in captured.captured_queries if "tenants_" in query["sql"]]
        assert len(shared_reads) == 3


class TestSessions:
    def test_it_ends_with_its_parent(self, owner, browser_client):
        client = browser_client(owner)
        assert client.get("/").status_code == 200
        with shared():
            Session.objects.filter(tenant_id=None).delete()
            assert not Session.objects.filter(tenant_id=owner.tenant.id).exists()
        assert client.get("/").status_code == 302

    def test_it_expires_with_its_parent(self, owner, browser_client):
        client = browser_client(owner)
        with shared():
            Session.objects.filter(tenant_id=None).update(expire_date=timezone.now() - timedelta(seconds=1))
        assert client.get("/").status_code == 302

    def test_a_changed_password_ends_it(self, owner, browser_client):
        from tenants.models import User

        client = browser_client(owner)
        with shared():
            user = User.objects.get(email=owner.email)
            user.set_password("another horse")
            user.save()
        assert client.get("/").status_code == 302

    def test_a_user_who_was_stopped_is_out(self, owner, browser_client):
        from tenants.models import User

        client = browser_client(owner)
        with shared():
            User.objects.filter(email=owner.email).update(is_active=False)
        assert client.get("/").status_code == 302

    def test_a_member_who_was_stopped_is_out(self, owner, seller, browser_client):
        from crm.workspace.people.member_services import member_deactivate

        client = browser_client(seller)
        assert client.get("/").status_code == 200
        member_deactivate(owner, member_id=seller.member_id)
        assert client.get("/").status_code == 302

    @pytest.mark.parametrize("key", ["", "x", "x" * 5000, "\x00", "a'; DROP TABLE x", "ünïcode"])
    def test_a_forged_key_is_nobodys(self, tenant_a, key):
        client = Client(headers={"host": tenant_host(tenant_a)})
        from django.conf import settings

        client.cookies[settings.SESSION_COOKIE_NAME] = key
        assert client.get("/").status_code == 302

    def test_its_cookie_is_for_one_host(self, public_client):
        answer = public_client.get("/signin/")
        assert all(not cookie["domain"] for cookie in answer.cookies.values())


def test_addresses_are_made_for_people():
    assert public_url("/x").endswith("/x")


def test_nobody_takes_the_public_host_below_the_domain(settings):
    assert subdomain_problem("alderhouse") is None
    settings.PUBLIC_ORIGIN = "https://alderhouse.localhost"
    assert subdomain_problem("alderhouse") == "This address is reserved."
