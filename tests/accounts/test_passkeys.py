"""Passkeys against a device that may lie: other hosts, old challenges, other people, copies, no finger."""

import hashlib
import json
import os
from collections.abc import Iterator
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from webauthn.helpers import base64url_to_bytes, bytes_to_base64url, encode_cbor

from tenants.accounts import passkeys
from tenants.accounts.browsers import Visit
from tenants.accounts.two_factor import FactorRefused, passkey_add
from tenants.db.scopes import shared
from tenants.models import AccountEvent, Passkey, User
from tests.accounts.conftest import Browser

HERE = Visit("192.0.2.7", "Firefox · Linux")
PRESENT, VERIFIED, ATTESTED = 0x01, 0x04, 0x40


class Device:
    """An authenticator of our own making, as honest as the test wants it."""

    def __init__(self, user: User) -> None:
        self.user = user
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.credential_id = os.urandom(32)
        self.count = 0

    def _client(self, kind: str, challenge: str, origin: str) -> bytes:
        return json.dumps({"type": kind, "challenge": challenge, "origin": origin, "crossOrigin": False}).encode()

    def _data(self, rp_id: str, flags: int) -> bytes:
        self.count += 1
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + self.count.to_bytes(4, "big")

    def make(self, page: dict[str, Any], *, origin: str = "", flags: int = PRESENT | VERIFIED) -> dict[str, str]:
        options = json.loads(page["options"])
        numbers = self.key.public_key().public_numbers()
        public = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        data = self._data(options["rp"]["id"], flags | ATTESTED)
        data += bytes(16) + len(self.credential_id).to_bytes(2, "big") + self.credential_id + encode_cbor(public)
        attested = encode_cbor({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options["challenge"], origin or passkeys.origins()[0])
        return self._said(page, {"clientDataJSON": client, "attestationObject": attested})

    def use(
        self,
        page: dict[str, Any],
        *,
        origin: str = "",
        rp_id: str = "",
        flags: int = PRESENT | VERIFIED,
        handle: bytes | None = None,
    ) -> dict[str, str]:
        options = json.loads(page["options"])
        data = self._data(rp_id or options["rpId"], flags)
        client = self._client("webauthn.get", options["challenge"], origin or passkeys.origins()[0])
        signature = self.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(SHA256()))
        said = {"clientDataJSON": client, "authenticatorData": data, "signature": signature}
        return self._said(page, said | {"userHandle": handle or self.user.pk.bytes})

    def _said(self, page: dict[str, Any], parts: dict[str, bytes]) -> dict[str, str]:
        name = bytes_to_base64url(self.credential_id)
        response = {key: bytes_to_base64url(value) for key, value in parts.items()}
        said = {"id": name, "rawId": name, "type": "public-key", "response": response, "clientExtensionResults": {}}
        return {"credential": json.dumps(said), "challenge": page["challenge"]}


def of(email: str = "owner@example.com") -> User:
    with shared():
        return User.objects.get(email=email)


@pytest.fixture(autouse=True)
def _in_shared(db: None) -> Iterator[None]:
    with shared():
        yield


@pytest.fixture
def device(db: None, tenant_a: Any) -> Device:
    made = Device(of())
    with shared():
        passkey_add(made.user, name="Mine", visit=HERE, **made.make(passkeys.make_options(made.user)))
    return made


def signs_in(**sent: Any) -> bool:
    with shared():
        return passkeys.passkey_use(visit=HERE, **sent) is not None


def test_it_signs_in_alone(device: Device, browser: Browser) -> None:
    browser.post("http://localhost/signin/passkey/", device.use(passkeys.use_options(passkeys.SIGN_IN)))
    assert browser.url == "http://alder.localhost/"
    assert of().has_second_factor


def test_a_challenge_is_good_once(device: Device) -> None:
    page = passkeys.use_options(passkeys.SIGN_IN)
    assert signs_in(**device.use(page))
    assert not signs_in(**device.use(page))


def test_a_workspaces_host_cannot_ask_for_it(device: Device) -> None:
    """Its pages are below the public host's domain, so a browser would let them."""
    for origin in ("http://alder.localhost:8000", "https://evil.example", passkeys.origins()[0] + ".evil.example"):
        assert not signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN), origin=origin))
    assert not signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN), rp_id="alder.localhost"))


def test_the_device_must_have_asked_its_owner(device: Device) -> None:
    assert not signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN), flags=PRESENT))
    assert not signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN), flags=VERIFIED))


def test_a_copy_that_lags_behind_is_refused_and_told(device: Device) -> None:
    assert signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN)))
    device.count -= 1
    assert not signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN)))
    with shared():
        assert AccountEvent.objects.filter(kind="passkey_refused").count() == 1


def test_one_that_never_counts_is_fine(device: Device) -> None:
    with shared():
        Passkey.objects.update(sign_count=0)
    for _time in range(2):
        device.count = -1
        assert signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN)))


def test_it_is_for_what_the_page_asked(device: Device) -> None:
    """A signature for one's own change is no sign-in, and one for somebody else's second step is none of mine."""
    own, other = device.user, of("admin@example.com")
    page = passkeys.use_options("confirm", own)
    assert not signs_in(**device.use(page))
    assert not signs_in(**device.use(passkeys.use_options("second-step", other)), action="second-step", user=own)
    assert not signs_in(**device.use(passkeys.use_options("confirm", own)), action="second-step", user=own)
    assert not signs_in(**device.use(passkeys.use_options("confirm", other)), action="confirm", user=other)
    assert signs_in(**device.use(passkeys.use_options("confirm", own)), action="confirm", user=own)


def test_the_handle_must_be_its_owners(device: Device) -> None:
    other = of("admin@example.com")
    assert not signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN), handle=other.pk.bytes))


def test_somebody_shut_out_does_not_sign_in(device: Device) -> None:
    with shared():
        User.objects.filter(pk=device.user.pk).update(is_active=False)
    assert not signs_in(**device.use(passkeys.use_options(passkeys.SIGN_IN)))


@pytest.mark.parametrize(
    "credential", ["", "null", "[]", "{}", '{"id": 1}', '{"id": "x", "response": []}', "\x00", "[" * 9000, "x" * 30_000]
)
def test_nonsense_is_answered_as_such(device: Device, browser: Browser, credential: str) -> None:
    page = passkeys.use_options(passkeys.SIGN_IN)
    answer = browser.post(
        "http://localhost/signin/passkey/", {"credential": credential, "challenge": page["challenge"]}
    )
    assert answer.status_code == 422


def test_what_was_changed_on_the_way_is_refused(device: Device) -> None:
    for part in ("clientDataJSON", "authenticatorData", "signature"):
        sent = device.use(passkeys.use_options(passkeys.SIGN_IN))
        said = json.loads(sent["credential"])
        bits = bytearray(base64url_to_bytes(said["response"][part]))
        bits[len(bits) // 2] ^= 1
        said["response"][part] = bytes_to_base64url(bytes(bits))
        assert not signs_in(credential=json.dumps(said), challenge=sent["challenge"]), part


class TestMaking:
    @pytest.mark.parametrize(
        "lie", [{"origin": "http://alder.localhost:8000"}, {"flags": PRESENT}], ids=["origin", "no finger"]
    )
    def test_what_does_not_hold_is_not_kept(self, db: None, tenant_a: Any, lie: dict[str, Any]) -> None:
        user = of()
        with shared(), pytest.raises(FactorRefused):
            passkey_add(user, name="x", visit=HERE, **Device(user).make(passkeys.make_options(user), **lie))
        assert not of().has_second_factor

    def test_a_page_made_for_somebody_else_makes_none(self, db: None, tenant_a: Any) -> None:
        user = of()
        page = passkeys.make_options(of("admin@example.com"))
        with shared(), pytest.raises(FactorRefused):
            passkey_add(user, name="x", visit=HERE, **Device(user).make(page))

    def test_one_credential_belongs_to_one_account(self, device: Device) -> None:
        other = of("admin@example.com")
        with shared(), pytest.raises(FactorRefused):
            passkey_add(other, name="x", visit=HERE, **device.make(passkeys.make_options(other)))
