"""What the environment may say. Everything else is refused, in words that name the variable and tell no secret."""

import re
from pathlib import Path

import pytest

from config.environment import Environment, NotUnderstood
from config.settings import database

SECRET = "kD82hLqPz" * 6


def refusal(**values: str) -> str:
    with pytest.raises(NotUnderstood) as refused:
        Environment.read(values)
    return str(refused.value)


def test_nothing_needs_to_be_said() -> None:
    found = Environment.read({})
    assert (found.production, found.debug, found.demo, found.trusted_proxies) == (False, False, True, 0)
    assert (found.public_origin, found.base_domain) == ("http://localhost:8000", "localhost")


def test_nothing_but_spaces_is_nothing() -> None:
    assert Environment.read({"PORT": " ", "DEBUG": "", "PUBLIC_ORIGIN": " "}) == Environment.read({})


@pytest.mark.parametrize("name", ["PRODUCTION", "DEBUG", "DEMO", "STATIC_MANIFEST"])
@pytest.mark.parametrize("text", ["y", "n", "maybe", "2", "-1", "enabled", "1 0", "ja", "t"])
def test_a_switch_is_on_or_off(name: str, text: str) -> None:
    assert f"{name} is {text!r}" in refusal(**{name: text})


@pytest.mark.parametrize(("text", "on"), [("1", True), ("TRUE", True), ("yes", True), ("on", True), ("Off", False)])
def test_a_switch_is_said_in_four_ways(text: str, on: bool) -> None:
    assert Environment.read({"DEBUG": text}).debug is on


@pytest.mark.parametrize("name", ["PORT", "TRUSTED_PROXIES", "WEB_WORKERS", "WEB_THREADS", "BULK_WORKERS"])
@pytest.mark.parametrize("text", ["many", "-1", "1.5", "1e3", "٣", "0x10", "999999999999", "1_000", "+4"])
def test_a_number_is_a_number_within_its_bounds(name: str, text: str) -> None:
    assert f"{name} is {text!r}" in refusal(**{name: text})


@pytest.mark.parametrize(
    "text",
    [
        *("http://crm.example", "crm.example:8000", "crm.example/", "*.crm.example", ".crm.example", "crm.example."),
        *(
            "crm..example",
            "-crm.example",
            "crm_a.example",
            "CRM.example",
            "crm example",
            "127.0.0.1",
            "[::1]",
            "ä.example",
        ),
        *("a" * 64 + ".example", "crm.example\n", "user@crm.example"),
    ],
)
def test_a_base_domain_is_a_domain(text: str) -> None:
    if text.strip() != text:
        assert Environment.read({"BASE_DOMAIN": text}).base_domain == text.strip()
        return
    assert "BASE_DOMAIN is" in refusal(BASE_DOMAIN=text)


@pytest.mark.parametrize(
    "text",
    [
        *("https://other.example", "https://crm.example.evil.example", "https://evilcrm.example"),
        *("https://crm.example/app", "https://crm.example?x=1", "https://user@crm.example", "https://api.crm.example"),
        *(
            "crm.example",
            "ftp://crm.example",
            "https://",
            "https://crm.example:0",
            "https://crm.example:http",
            "https:crm",
        ),
    ],
)
def test_the_public_origin_is_a_host_of_the_base_domain(text: str) -> None:
    assert "PUBLIC_ORIGIN" in refusal(BASE_DOMAIN="crm.example", PUBLIC_ORIGIN=text)


@pytest.mark.parametrize("text", ["https://crm.example", "https://www.crm.example:8443", "https://app.crm.example/"])
def test_the_public_origin_may_lie_below_the_base_domain(text: str) -> None:
    assert Environment.read({"BASE_DOMAIN": "crm.example", "PUBLIC_ORIGIN": text}).public_origin == text.rstrip("/")


@pytest.mark.parametrize("user", ["postgres", "rapport_owner", "root", ""])
def test_nobody_signs_in_to_the_database_but_the_role_for_it(user: str) -> None:
    told = refusal(
        DATABASE_URL=f"postgresql://{user}:{SECRET}@db.example/rapport",
        DATABASE_OWNER_URL=f"postgresql://rapport_owner:{SECRET}@db.example/rapport",
    )
    assert "it has to be the role rapport_app, which is no superuser" in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("DATABASE_URL", one) for one in ("db.example", "mysql://rapport_app:x@db.example/rapport", "postgresql://")),
        *(
            ("DATABASE_URL", f"postgresql://rapport_app:x@db.example{one}")
            for one in ("", "/", "/a/b", "/a?ssl=1", ":a/b")
        ),
        *(
            ("VALKEY_URL", one)
            for one in ("cache.example", "http://cache.example", "redis://", "redis://cache.example/7")
        ),
        ("VALKEY_URL", "redis://cache.example/0?ssl_cert_reqs=none"),
        *(
            ("EMAIL_URL", one)
            for one in ("mail.example", "http://mail.example", "smtp://", "smtp://mail.example/?tls=1")
        ),
        *(("STRIPE_SECRET_KEY", one) for one in ("pk_test_only_imagined_1", "sk_live_only_imagined_1", "sk_test_")),
        *(("STRIPE_WEBHOOK_SECRET", one) for one in ("secret", "whsec_short", "whsec_long_enough_for_one,x")),
        *(("STRIPE_API_URL", one) for one in ("http://stripe.example", "https://127.0.0.1", "http://127.0.0.1/v1")),
        *(("EMAIL_FROM", one) for one in ("Rapport", "a@", "@crm.example", "a@b c")),
        *(("HOST", one) for one in ("300.1.1.1", "a b", "http://localhost")),
        *(("INSTALLATION", one) for one in ("Rapport", "1st", "a-b", "a" * 20)),
        *(("LOG_LEVEL", one) for one in ("LOUD", "10")),
    ],
)
def test_what_is_no_address_or_name_is_refused(name: str, text: str) -> None:
    assert name in refusal(**{name: text})


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_FALLBACKS"])
@pytest.mark.parametrize("text", ["django-insecure-" + SECRET, "short", "x" * 80])
def test_a_weak_secret_is_refused_with_and_without_production(name: str, text: str) -> None:
    told = refusal(**{name: text})
    assert name in told
    assert text not in told


def test_everything_that_is_wrong_is_told_at_once() -> None:
    told = refusal(PRODUCTION="y", PORT="http", BASE_DOMAIN="a b")
    assert all(name in told for name in ("PRODUCTION", "PORT", "BASE_DOMAIN"))


def test_a_database_may_be_asked_for_over_tls() -> None:
    url = "postgresql://rapport_app:x@db.example/rapport?sslmode=verify-full&sslrootcert=/etc/ca.pem"
    options = database(url)["OPTIONS"]
    assert options == {"connect_timeout": 5, "sslmode": "verify-full", "sslrootcert": "/etc/ca.pem"}


def test_the_readme_names_every_variable() -> None:
    root = Path(__file__).resolve().parents[2]
    readme = (root / "README.md").read_text()
    source = (root / "platform" / "config" / "environment.py").read_text()
    names = set(re.findall(r'"([A-Z]+(?:_[A-Z]+)+|PORT|HOST|DATA|DEMO|DEBUG|PRODUCTION|INSTALLATION)"', source))
    assert len(names) > 20
    assert sorted(name for name in names if f"`{name}`" not in readme) == []
