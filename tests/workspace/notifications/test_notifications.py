"""Who is told of what, by which channel and when; every mail goes through a real mail server."""

import re
from collections.abc import Callable, Iterator
from datetime import datetime, time, timedelta
from time import monotonic
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.controller import Controller
from allauth.account.models import EmailAddress
from django.test import Client
from django.utils import timezone

from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.models import Member, Notification, NotificationChoices, NotificationMail, Role
from crm.workspace.notifications import mailing
from crm.workspace.notifications.notify import BETWEEN, GATHERED, choices_of, kinds, notify
from crm.workspace.notifications.services import notification_choices_update, notifications_mark_read
from crm.workspace.people.member_services import member_deactivate
from tenants.actors import Actor
from tenants.db.database_roles import role_of
from tenants.db.scopes import shared
from tenants.models import Wakeup
from tenants.work.turns import Progress
from tenants.workspaces.hosts import tenant_host
from tests import factories
from tests.catcher import Catcher, catching
from tests.stack import free_port

BrowserClient = Callable[..., Client]
State = NotificationMail.State


@pytest.fixture(scope="module")
def catcher(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Catcher]:
    with catching(tmp_path_factory.mktemp("mails")) as found:
        yield found


@pytest.fixture
def box(catcher: Catcher, settings: Any) -> Catcher:
    serve(settings, catcher.smtp)
    catcher.forget()
    return catcher


def serve(settings: Any, port: int) -> None:
    settings.MAILERS = {
        "default": {
            "BACKEND": "django.core.mail.backends.smtp.EmailBackend",
            "OPTIONS": {"host": "127.0.0.1", "port": port, "timeout": 30},
        }
    }


def me(actor: Actor) -> UUID:
    assert actor.member_id is not None
    return actor.member_id


def choose(actor: Actor, **wanted: Any) -> None:
    """Change some of the choices; channels by kind."""
    member = Member.objects.get(pk=me(actor))
    now = choices_of(member)
    names = [one.name for one in NotificationChoices._meta.concrete_fields]
    names = [name for name in names if name not in {"id", "created_at", "member"}]
    notification_choices_update(actor, **({name: getattr(now, name) for name in names} | wanted))


def tell(actor: Actor, key: str, *, kind: str = "mentioned", record: Any = None, **said: Any) -> int:
    place = {"record_type": "company", "record_id": record.pk} if record else {}
    return notify([me(actor)], kind=kind, key=key, title=f"Title {key}", **(place | said))


def send(actor: Actor, *, at: str = "due") -> Progress:
    """A turn of the sender, at a time when all that waits is due."""
    if at == "due":
        NotificationMail.objects.filter(state__in=["queued", "retry"]).update(due_at=timezone.now())
    return mailing.send_due(actor.tenant, monotonic() + 120)


def states() -> list[str]:
    return list(NotificationMail.objects.order_by("created_at", "id").values_list("state", flat=True))


def waking(actor: Actor) -> list[datetime]:
    with shared():
        found = Wakeup.objects.filter(role=role_of(actor.tenant.schema_name), work="mails").order_by("due_at")
        return list(found.values_list("due_at", flat=True))


# -- by which channel --------------------------------------------------------------------------------------------------


def test_a_kind_goes_by_its_defaults_until_somebody_chooses(seller: Actor) -> None:
    tell(seller, "a", kind="mentioned")
    tell(seller, "b", kind="assigned")
    tell(seller, "c", kind="invitation_accepted")
    assert dict(Notification.objects.values_list("key", "mail__kind")) == {"a": "mentioned", "b": "", "c": None}

    choose(seller, channels={"mentioned": [], "assigned": ["mail"], "invitation_accepted": ["digest"]})
    assert tell(seller, "d", kind="mentioned") == 0
    tell(seller, "e", kind="assigned")
    tell(seller, "f", kind="invitation_accepted")
    rows = Notification.objects.filter(key__in="def").values_list("key", "mail__kind", "in_app")
    assert set(rows) == {("e", "assigned", False), ("f", "", False)}


def test_an_unknown_kind_is_refused_and_a_key_is_told_once(seller: Actor) -> None:
    with pytest.raises(ValueError, match="nonsense"):
        tell(seller, "a", kind="nonsense")
    assert [tell(seller, "a"), tell(seller, "a"), tell(seller, "b")] == [1, 0, 1]


def test_words_are_those_of_the_reader(seller: Actor, seller_two: Actor, settings: Any) -> None:
    from django.utils.translation import get_language

    Member.objects.filter(pk=me(seller_two)).update(locale="en-gb")
    ids = [me(seller), me(seller_two)]
    notify(ids, kind="assigned", key="x", title=lambda: f"in {get_language()}")
    assert set(Notification.objects.values_list("title", flat=True)) == {"in en", "in en-gb"}


def test_many_told_as_one_are_counted_worded_anew_and_unread(seller: Actor) -> None:
    def many(count: int) -> int:
        return notify([me(seller)], kind="assigned", key="many", title=f"{count} deals", count=count)

    assert many(3) == 1
    notifications_mark_read(seller)
    assert many(3) == 0
    assert many(500) == 1
    row = Notification.objects.get()
    assert (row.title, row.count, row.read_at) == ("500 deals", 500, None)


def test_only_what_is_mine(manager: Actor, seller: Actor) -> None:
    mine, theirs = factories.task(manager), factories.task(seller)
    choose(manager, only_mine=True)
    for name, task, kind in (("a", mine, "task_overdue"), ("b", theirs, "task_overdue"), ("c", theirs, "mentioned")):
        tell(manager, name, kind=kind, record_type="task", record_id=task.pk)
    assert set(Notification.objects.values_list("key", flat=True)) == {"a", "c"}


def test_a_deactivated_member_is_told_nothing_and_what_waited_for_him_is_not_sent(
    admin: Actor, seller: Actor, box: Catcher
) -> None:
    tell(seller, "before")
    member_deactivate(admin, member_id=me(seller))
    assert tell(seller, "after") == 0
    send(admin)
    assert (box.mails(), states()) == ([], ["empty"])


# -- mails at once -----------------------------------------------------------------------------------------------------


def test_nothing_is_mailed_to_an_address_that_its_member_has_not_proven(seller: Actor, box: Catcher) -> None:
    """Whoever signs up with a stranger's address has us send them nothing."""
    with shared():
        EmailAddress.objects.filter(email="seller@example.com").update(verified=False)
    tell(seller, "1")
    send(seller)
    assert box.mails() == []
    assert Notification.objects.filter(member=me(seller)).count() == 1
    with shared():
        EmailAddress.objects.filter(email="seller@example.com").update(verified=True)
    tell(seller, "2")
    send(seller)
    assert len(box.mails()) == 1


def test_a_mail_has_words_links_and_a_way_out(seller: Actor, box: Catcher, browser_client: BrowserClient) -> None:
    company = factories.company(seller, name="Acme")
    tell(seller, "a", record=company, body="They <b>like</b> oak.")
    assert send(seller) is Progress.DONE

    (mail,) = box.mails(seller.email)
    assert mail["subject"] == "Title a"
    assert "They <b>like</b> oak." in mail["text"]
    assert "They &lt;b&gt;like&lt;/b&gt; oak." in mail["html"]
    links = [link for link in mail["links"] if "/inbox/" in link]
    answer = browser_client(seller).get(links[0].partition(tenant_host(seller.tenant))[2])
    assert answer.headers["Location"] == f"/companies/{company.pk}/"
    assert states() == ["sent"]
    raw = box.raw(mail)
    assert raw["Message-ID"] == f"<{NotificationMail.objects.get().pk}@localhost>"
    assert raw["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert send(seller) is Progress.DONE
    assert len(box.mails()) == 1


def test_what_comes_together_goes_together(seller: Actor, seller_two: Actor, box: Catcher) -> None:
    for number in range(20):
        tell(seller, f"n{number}")
    tell(seller, "other", kind="handed_over")
    tell(seller_two, "their")
    send(seller)
    subjects = sorted(mail["subject"] for mail in box.mails(seller.email))
    assert subjects == ["20 things new in Alder Windows", "Title other"]
    assert [mail["subject"] for mail in box.mails(seller_two.email)] == ["Title their"]


def test_mails_of_a_kind_keep_their_distance(seller: Actor, box: Catcher) -> None:
    tell(seller, "a")
    first = NotificationMail.objects.get()
    assert first.due_at - timezone.now() <= GATHERED
    send(seller)
    tell(seller, "b")
    second = NotificationMail.objects.exclude(pk=first.pk).get()
    assert second.due_at - timezone.now() > BETWEEN - GATHERED
    assert second.due_at in waking(seller)


def test_what_is_read_or_gone_before_the_mail_is_not_in_it(seller: Actor, box: Catcher) -> None:
    tell(seller, "read")
    tell(seller, "unread")
    tell(seller, "dropped", kind="handed_over")
    notifications_mark_read(seller, ids=[Notification.objects.get(key="read").pk])
    Notification.objects.filter(key="dropped").delete()
    send(seller)
    assert [mail["subject"] for mail in box.mails()] == ["Title unread"]
    assert sorted(states()) == ["empty", "sent"]


def test_who_may_not_see_the_record_any_more_gets_neither_title_nor_link(
    seller: Actor, owner: Actor, box: Catcher, browser_client: BrowserClient
) -> None:
    hidden, shown = factories.company(owner, name="Hidden"), factories.company(seller, name="Shown")
    tell(seller, "hidden", record=hidden)
    tell(seller, "shown", record=shown)
    role = Role.objects.create(slug="own", name="Own", permissions={"*": {"view": "own"}})
    Member.objects.filter(pk=me(seller)).update(role=role)
    choose(seller)
    send(seller)
    (mail,) = box.mails()
    told = box.raw(mail).as_string()
    assert "Title shown" in told
    assert "Title hidden" not in told
    assert str(Notification.objects.get(key="hidden").pk) not in told
    page = browser_client(seller).get("/inbox/").content.decode()
    assert "Title shown" in page
    assert "Title hidden" not in page
    badge = browser_client(seller).get("/inbox/badge/").content.decode()
    assert page.count('class="inbox-item is-unread"') == 1
    assert '<span class="badge badge-accent">1<' in badge


def test_what_a_role_hides_by_now_is_told_neither_by_mail_nor_in_the_inbox(
    seller: Actor, box: Catcher, browser_client: BrowserClient
) -> None:
    tell(seller, "narrowed", record=factories.company(seller), body="Worth a million")
    tell(seller, "open", record=factories.contact(seller), record_type="contact", body="Likes tea")
    fields = {"company": {"description": "hidden"}, "contact": {"description": "read"}}
    role = Role.objects.create(slug="narrow", name="Narrow", permissions={"*": {"view": "all"}}, fields=fields)
    Member.objects.filter(pk=me(seller)).update(role=role)
    choose(seller)
    send(seller)
    told = "".join(box.raw(mail).as_string() for mail in box.mails())
    told += browser_client(seller).get("/inbox/").content.decode()
    assert told.count("Title narrowed") > 1
    assert "Worth a million" not in told
    assert told.count("Likes tea") > 1


# -- quiet hours and digests -------------------------------------------------------------------------------------------


def test_in_quiet_hours_a_mail_waits_and_the_inbox_does_not(seller: Actor, box: Catcher) -> None:
    local = timezone.now().astimezone(seller.time_zone)
    begins, ends = (local - timedelta(hours=1)).time(), (local + timedelta(hours=2)).time()
    choose(seller, quiet=True, quiet_from=begins, quiet_until=ends)
    tell(seller, "a")
    mail = NotificationMail.objects.get()
    assert timedelta(hours=1, minutes=59) < mail.due_at - timezone.now() <= timedelta(hours=2)
    assert Notification.objects.get().in_app
    send(seller)
    assert (box.mails(), states()) == ([], ["queued"])
    mail.refresh_from_db()
    assert mail.due_at in waking(seller)
    choose(seller, quiet=False)
    send(seller)
    assert len(box.mails()) == 1


def test_a_digest_tells_by_kind_what_is_unread_once_and_nothing_when_there_is_nothing(
    seller: Actor, box: Catcher
) -> None:
    choose(seller, channels={"assigned": ["in_app", "digest"], "mentioned": ["in_app", "digest"]})
    for key, kind in (("a", "assigned"), ("m", "mentioned"), ("b", "assigned"), ("read", "assigned")):
        tell(seller, key, kind=kind)
    notifications_mark_read(seller, ids=[Notification.objects.get(key="read").pk])
    assert states() == ["queued"]
    send(seller)
    (mail,) = box.mails(seller.email)
    assert mail["subject"] == "Alder Windows: 3 things for you"
    words = [mail["text"].index(word) for word in ("Title a", "Title b", "Title m")]
    assert words == sorted(words)
    assert "Title read" not in mail["text"]

    send(seller)
    assert len(box.mails()) == 1
    tell(seller, "later", kind="assigned")
    notifications_mark_read(seller)
    send(seller)
    assert len(box.mails()) == 1
    assert states() == ["sent", "empty"]


def test_a_digest_that_waits_moves_with_its_hour(seller: Actor) -> None:
    tell(seller, "a", kind="assigned")
    before = NotificationMail.objects.get().due_at
    hour = (before.astimezone(seller.time_zone).hour + 5) % 24
    choose(seller, digest_hour=hour, digest_days=list(range(7)))
    after = NotificationMail.objects.get().due_at
    assert after != before
    assert after.astimezone(seller.time_zone).hour == hour
    assert after in waking(seller)


def test_choices_that_make_no_sense_are_refused(seller: Actor) -> None:
    from crm.workspace.errors import WorkspaceError

    for wrong in (
        {"digest_days": [7]},
        {"digest_hour": 24},
        {"quiet": True, "quiet_from": time(8), "quiet_until": time(8)},
        {"channels": {"assigned": ["mail", "digest"]}},
        {"channels": {"assigned": ["digest"]}, "digest_days": []},
    ):
        with pytest.raises(WorkspaceError):
            choose(seller, **wrong)
    with pytest.raises(ValueError, match="pigeon"):
        choose(seller, channels={"assigned": ["pigeon"]})


# -- the mail server's answers -----------------------------------------------------------------------------------------


class Server:
    """A mail server that answers as it is told, and counts what it took."""

    def __init__(self, *answers: str) -> None:
        self.answers = list(answers)
        self.taken: list[bytes] = []

    async def handle_DATA(self, server: Any, _session: Any, envelope: Any) -> str:
        answer = self.answers.pop(0) if self.answers else "250 OK"
        if answer == "hang up":
            self.taken.append(envelope.content)
            server.transport.abort()
            return "421 gone"
        if answer.startswith("250"):
            self.taken.append(envelope.content)
        return answer


@pytest.fixture
def answering(settings: Any) -> Iterator[Callable[..., Server]]:
    running: list[Controller] = []

    def start(*answers: str) -> Server:
        server, port = Server(*answers), free_port()
        controller = Controller(server, hostname="127.0.0.1", port=port)
        controller.start()
        running.append(controller)
        serve(settings, port)
        return server

    yield start
    for controller in running:
        controller.stop()


def test_a_mail_that_is_refused_for_now_is_tried_again_and_one_refused_for_good_is_not(
    seller: Actor, answering: Callable[..., Server]
) -> None:
    server = answering("451 later", "250 OK", "550 never")
    tell(seller, "a")
    assert send(seller) is Progress.DONE
    mail = NotificationMail.objects.get()
    assert (mail.state, mail.failures) == (State.RETRY, 1)
    assert mail.due_at in waking(seller)
    send(seller)
    assert (states(), len(server.taken)) == (["sent"], 1)
    tell(seller, "b")
    send(seller)
    send(seller)
    assert (states(), len(server.taken)) == (["sent", "failed"], 1)


def test_a_mail_of_which_nobody_knows_whether_it_arrived_is_not_sent_again(
    seller: Actor, answering: Callable[..., Server]
) -> None:
    server = answering("hang up")
    tell(seller, "a")
    send(seller)
    send(seller)
    assert len(server.taken) == 1
    assert NotificationMail.objects.get().error


def test_a_server_that_is_away_costs_no_mail(seller: Actor, settings: Any, answering: Callable[..., Server]) -> None:
    serve(settings, free_port())
    tell(seller, "a")
    assert send(seller) is Progress.BUSY
    assert (states(), NotificationMail.objects.get().failures) == (["queued"], 0)
    assert max(waking(seller)) > timezone.now() + timedelta(seconds=20)
    server = answering()
    send(seller)
    assert len(server.taken) == 1


def test_killed_between_claim_and_sending_the_mail_is_not_sent_twice(
    seller: Actor, box: Catcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker dies after the server took the mail and before that is noted."""
    tell(seller, "a")

    def die(*_arguments: Any, **_named: Any) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(mailing, "noted", die)
        with pytest.raises(SystemExit):
            send(seller)
    assert states() == ["sending"]
    send(seller)
    assert len(box.mails()) == 1


def test_a_workspace_sends_so_many_a_minute_and_the_rest_later(seller: Actor, box: Catcher) -> None:
    from dataclasses import replace

    tenant = replace(seller.tenant, limits={"mails_per_minute": 2})
    for kind in ("mentioned", "handed_over", "escalation", "meeting_invited"):
        choose(seller, channels={one: ["mail"] for one in kinds()})
        tell(seller, kind, kind=kind)
    NotificationMail.objects.update(due_at=timezone.now())
    assert mailing.send_due(tenant, monotonic() + 120) is Progress.DONE
    assert len(box.mails()) == 2
    NotificationMail.objects.filter(state=State.SENT).update(sent_at=timezone.now() - timedelta(seconds=61))
    mailing.send_due(tenant, monotonic() + 120)
    assert len(box.mails()) == 4


def test_a_turn_ends_when_its_time_is_over(seller: Actor, box: Catcher) -> None:
    tell(seller, "a")
    NotificationMail.objects.update(due_at=timezone.now())
    assert mailing.send_due(seller.tenant, monotonic() - 1) is Progress.MORE
    assert box.mails() == []


# -- the way out -------------------------------------------------------------------------------------------------------


def stop_path(actor: Actor, box: Catcher) -> str:
    send(actor)
    header = str(box.raw(box.mails(actor.email)[0])["List-Unsubscribe"]).replace(" ", "").replace("\n", "")
    found = re.fullmatch(r"<https?://[^/]+(/unsubscribe/.+/)>", header)
    assert found, header
    return found[1]


def test_one_click_ends_mails_of_that_kind_only(seller: Actor, box: Catcher, browser_client: BrowserClient) -> None:
    tell(seller, "a")
    path = stop_path(seller, box)
    stranger = Client(headers={"host": tenant_host(seller.tenant)}, enforce_csrf_checks=True)
    assert stranger.get(path).status_code == 200
    assert not NotificationChoices.objects.exists()
    assert stranger.post(path, {"List-Unsubscribe": "One-Click"}).status_code == 200
    tell(seller, "b")
    tell(seller, "c", kind="handed_over")
    assert dict(Notification.objects.values_list("key", "mail__kind")) == {
        "a": "mentioned",
        "b": None,
        "c": "handed_over",
    }
    assert Notification.objects.get(key="b").in_app


def test_one_click_ends_all_digests(seller: Actor, box: Catcher) -> None:
    tell(seller, "a", kind="assigned")
    Client(headers={"host": tenant_host(seller.tenant)}).post(stop_path(seller, box))
    tell(seller, "b", kind="task_overdue")
    assert Notification.objects.get(key="b").mail is None
    tell(seller, "c", kind="mentioned")
    assert Notification.objects.get(key="c").mail is not None


def test_a_token_is_good_for_its_own_workspace_only(seller: Actor, outsider: Actor, box: Catcher) -> None:
    tell(seller, "a")
    path = stop_path(seller, box)
    assert Client(headers={"host": tenant_host(outsider.tenant)}).post(path).status_code == 404
    forged = path[:-3] + ("A/" if path[-3] != "A" else "B/")
    assert Client(headers={"host": tenant_host(seller.tenant)}).post(forged).status_code == 404
    assert not NotificationChoices.objects.exists()


# -- screens -----------------------------------------------------------------------------------------------------------


def test_choices_on_the_page(seller: Actor, browser_client: BrowserClient) -> None:
    client = browser_client(seller)
    assert client.get("/settings/notifications/").status_code == 200
    data = {
        "in_app_assigned": "on",
        "mail_assigned": "mail",
        "mail_mentioned": "digest",
        "digest_days": ["0", "3"],
        "digest_hour": "17",
        "quiet": "on",
        "quiet_from": "21:30",
        "quiet_until": "06:15",
        "quiet_days_off": "on",
    }
    assert client.post("/settings/notifications/", data).status_code == 302
    found = NotificationChoices.objects.get()
    assert (found.channels["assigned"], found.channels["mentioned"]) == (["in_app", "mail"], ["digest"])
    assert (found.digest_days, found.digest_hour, found.quiet_from, found.quiet_until) == (
        [0, 3],
        17,
        time(21, 30),
        time(6, 15),
    )
    assert (found.quiet, found.quiet_days_off, found.quiet_holidays, found.only_mine) == (True, True, False, False)
    refused = client.post("/settings/notifications/", data | {"digest_days": []})
    assert refused.status_code == 422
    assert "at least one day" in refused.content.decode()
    assert client.post("/settings/notifications/", data | {"mail_assigned": "pigeon"}).status_code == 422


def test_the_inbox_shows_a_line_a_record_and_kind(seller: Actor, browser_client: BrowserClient) -> None:
    company = factories.company(seller, name="Acme")
    for number in range(4):
        tell(seller, f"m{number}", record=company)
    tell(seller, "assigned", kind="assigned", record=company)
    tell(seller, "loose1")
    tell(seller, "loose2")
    base = timezone.now()
    for number, row in enumerate(Notification.objects.order_by("created_at", "id")):
        Notification.objects.filter(pk=row.pk).update(created_at=base - timedelta(minutes=10 - number))
    client = browser_client(seller)
    lines = [line for _day, day in client.get("/inbox/").context["days"] for line in day]
    assert [(line.head.key, line.more) for line in lines] == [
        ("loose2", 0),
        ("loose1", 0),
        ("assigned", 0),
        ("m3", 3),
    ]
    assert "3 more" in client.get("/inbox/").content.decode()
    assert client.get("/inbox/badge/").context["count"] == 4
    one_kind = [line for _day, day in client.get("/inbox/?kind=assigned").context["days"] for line in day]
    assert [line.head.key for line in one_kind] == ["assigned"]

    client.get(f"/inbox/{lines[3].head.pk}/")
    assert Notification.objects.filter(read_at=None).count() == 3
    client.post("/inbox/unread/", {"id": str(lines[3].head.pk)})
    assert Notification.objects.filter(read_at=None).count() == 4
    part = client.post("/inbox/read/", {"id": str(lines[3].head.pk)}, headers={"HX-Request": "true"})
    assert "inbox:changed" in part.headers["HX-Trigger-After-Settle"]
    assert "is-unread" not in part.content.decode()
    assert Notification.objects.filter(read_at=None).count() == 3


def test_many_handed_over_in_one_change_are_one_line_and_one_mail(
    manager: Actor, seller: Actor, box: Catcher, browser_client: BrowserClient
) -> None:
    from crm.records.events.dispatch import drain

    drain(manager.tenant)
    choose(seller, channels={"assigned": ["in_app", "mail"]})
    record_type = registry.get("company")
    ids = [one.pk for one in gate.create_many(manager, record_type, [{"name": f"C {n}"} for n in range(120)]).records]
    gate.update(manager, record_type, ids, {"owner": seller.member_id})
    drain(manager.tenant)
    send(seller)
    assert [mail["subject"] for mail in box.mails()] == ["Manager made 120 companies yours"]
    row = Notification.objects.get()
    assert row.count == 120
    assert browser_client(seller).get(f"/inbox/{row.pk}/").headers["Location"] == "/companies/"
