"""Every noun × action × scope × whose record it is, on screen and by API, against what the table of rights says; and
the same of the fixed roles.

The nouns come from the registry, so that a new one is in the table by itself.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from django.utils import timezone

from crm.records.jobs import export, jobs
from crm.records.models import Job
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.records.write import gate
from crm.workspace.models import Member, Role, Team
from crm.workspace.permissions import ACTIONS, FIXED_BY_SLUG, fixed_permissions
from tenants.actors import Actor

SCOPES = ("none", "own", "team", "all")
WHOSE = ("own", "team", "other")
REACHED = {"none": (), "own": ("own",), "team": ("own", "team"), "all": WHOSE}
CHANGED = {"stage": "probability"}
"""What is set in bulk instead of the title, which two cannot share."""
OK = {200, 201, 202, 204, 302}


def values_for(record_type: RecordType, actor: Actor, holder: Actor, place: int) -> dict[str, Any]:
    """What a new record cannot do without."""
    found: dict[str, Any] = {record_type.title: f"{record_type.label} {place}"}
    for one in record_type.fields:
        if record_type.owner_field == one.slug:
            found[one.slug] = str(holder.member_id)
        elif not one.required or one.default is not None or one.slug == record_type.title:
            continue
        elif one.kind is Kind.REFERENCE:
            company = gate.create(actor, registry.get("company"), {"name": "Subject"}).id
            found[one.slug] = {"type": "company", "id": str(company)}
        elif one.kind is Kind.RELATION:
            found[one.slug] = str(registry.get(one.target).rows.order_by("pk").values_list("pk", flat=True)[0])
        elif one.kind is Kind.DATETIME:
            found[one.slug] = timezone.now().isoformat()
        elif one.kind is Kind.CHOICE:
            found[one.slug] = one.choices[0].value
    return found


@pytest.fixture
def team(seller: Actor, seller_two: Actor) -> Team:
    """The reader and a colleague of theirs; the manager is of no team."""
    made = Team.objects.create(name="Ours")
    Member.objects.filter(id__in=[str(seller.member_id), str(seller_two.member_id)]).update(team=made)
    return made


@pytest.mark.slow("asks each action in each scope of each record, by screen and by API")
@pytest.mark.parametrize("noun", [record_type.slug for record_type in registry.all()])
def test_what_the_table_says_holds_on_screen_and_by_api(
    noun: str,
    team: Team,
    owner: Actor,
    seller: Actor,
    seller_two: Actor,
    manager: Actor,
    browser_client: Callable[..., Any],
    api: Callable[..., Any],
    settings: Any,
    tmp_path: Path,
) -> None:
    settings.MEDIA_ROOT = str(tmp_path)
    record_type = registry.get(noun)
    shared = record_type.visible.is_everyones
    people = {"own": seller, "team": seller_two, "other": manager}
    records = {}
    for place, (whose, person) in enumerate(people.items()):
        maker = person if not record_type.owner_field and not shared else owner
        records[whose] = gate.create(maker, record_type, values_for(record_type, owner, person, place)).record
    made = values_for(record_type, owner, seller, 9)
    role = Role.objects.create(slug="table", name="Table")
    Member.objects.filter(id=str(seller.member_id)).update(role=role)
    reads = ["member:read", *(f"{one.slug}:read" for one in registry.all())]
    screen, key = browser_client(seller), api(seller, [*reads, f"{noun}:write"])
    wrong: list[str] = []

    def told(what: str, status: int, expected: bool) -> None:
        if (status in OK) is not expected or status >= 500:
            wrong.append(f"{what}: {status}, expected {'yes' if expected else 'no'}")

    def tried(work: Callable[[], Any]) -> int:
        """What a request is answered with, undone at once."""
        with transaction.atomic():
            status: int = work().status_code
            transaction.set_rollback(True)
        return status

    def done(work: Callable[[], Any]) -> tuple[int, set[str]]:
        """What a request for a job is answered with, and whose records the job, run at once, came to."""
        titles = dict(record_type.rows.values_list("pk", record_type.title))
        came: set[str] = set()
        with transaction.atomic():
            status = work().status_code
            job = Job.objects.last()
            if job is not None:
                jobs.run(owner.tenant, job.pk)
                path = export.path_of(owner.tenant, job.pk)
                text = path.read_text() if path.exists() else ""
                now = dict(record_type.rows.values_list("pk", "version"))
                came = {
                    whose
                    for whose, record in records.items()
                    if (titles[record.pk] in text if job.kind == "export" else now[record.pk] > record.version)
                }
            transaction.set_rollback(True)
        return status, came

    def reaches(scope: str, whose: str) -> bool:
        return whose in REACHED[scope] or (shared and scope == "all")

    def check(name: str, scopes: Mapping[str, str], action: str) -> None:
        """One action of the role that the reader has now, whose row of the table is ``scopes``."""
        scope = scopes[action]
        name = f"{name} {noun}.{action} {scope}"
        if action == "create":
            told(f"{name} api", tried(lambda: key.post(f"/api/v1/{record_type.plural}", made)), scope != "none")
            for whose, person in people.items():
                if record_type.owner_field:
                    given = {**made, record_type.owner_field: str(person.member_id)}
                    status = tried(lambda: key.post(f"/api/v1/{record_type.plural}", given))  # noqa: B023
                    told(f"{name} for {whose} api", status, whose in REACHED[scope])
            told(f"{name} screen", screen.get(f"/{record_type.plural}/new/").status_code, scope != "none")
            return
        if action == "export":
            for place, asked in (
                ("screen", lambda: screen.post(f"/{record_type.plural}/export/?view=all")),
                ("api", lambda: key.post(f"/api/v1/{record_type.plural}/export", {"view": "all"})),
            ):
                status, came = done(asked)
                told(f"{name} {place}", status, scope != "none")
                if came != {whose for whose in records if reaches(scope, whose)}:
                    wrong.append(f"{name} {place}: in the file {came}")
            return
        if action == "bulk":
            body = {
                "ids": [str(record.pk) for record in records.values()],
                "values": {CHANGED.get(noun, record_type.title): "37"},
            }
            status, came = done(lambda: key.post(f"/api/v1/{record_type.plural}/bulk", body))
            told(f"{name} api", status, scope != "none" and scopes["edit"] != "none")
            if came != {whose for whose in records if reaches(scope, whose) and reaches(scopes["edit"], whose)}:
                wrong.append(f"{name}: changed by api {came}")
        if action == "view":
            listed = {row["id"] for row in key.get(f"/api/v1/{record_type.plural}?limit=500").json().get("data", ())}
            shown = screen.get(f"/{record_type.plural}/").content.decode() if record_type.in_sidebar else ""
        for whose, record in records.items():
            may = reaches(scope, whose)
            path, address = f"/{record_type.plural}/{record.pk}/", f"/api/v1/{record_type.plural}/{record.pk}"
            title = {record_type.title: f"New {uuid4()}"}
            if action == "view":
                told(f"{name} {whose} api", key.get(address).status_code, may)
                told(f"{name} {whose} screen", screen.get(path).status_code, may)
                if (str(record.pk) in listed) is not may or (
                    record_type.in_sidebar and (str(record.pk) in shown) is not may
                ):
                    wrong.append(f"{name} {whose} listed")
            elif action == "edit":
                told(f"{name} {whose} api", tried(lambda: key.patch(address, title)), may)  # noqa: B023
                edit = f"{path}edit/{record_type.title}/"
                told(f"{name} {whose} screen", tried(lambda: screen.post(edit, title)), may)  # noqa: B023
            elif action == "delete":
                told(f"{name} {whose} api", tried(lambda: key.delete(address)), may)  # noqa: B023
                told(f"{name} {whose} screen", tried(lambda: screen.post(f"{path}trash/")), may)  # noqa: B023
            else:
                may = may and reaches(scopes["edit"], whose)
                sent = {"id": str(record.pk), "field": record_type.title, **title}
                told(f"{name} {whose} screen", tried(lambda: screen.post(f"/{record_type.plural}/bulk/", sent)), may)  # noqa: B023

    for action in ACTIONS:
        for scope in ("none", "all") if shared else SCOPES:
            row = dict.fromkeys(ACTIONS, "none") | {"view": "all", action: scope}
            if action == "bulk":
                row["edit"] = "all"
            look = {"*": {"view": "all"}, noun: row, "company": row if noun == "company" else {"view": "all"}}
            Role.objects.filter(id=role.id).update(permissions=look)
            check("table", row, action)
    for slug in FIXED_BY_SLUG:
        Member.objects.filter(id=str(seller.member_id)).update(role=Role.objects.get(slug=slug))
        granted = fixed_permissions(slug)
        for action in ACTIONS:
            check(slug, {one: granted.scope(noun, one).name.lower() for one in ACTIONS}, action)
    assert not wrong, "\n".join(wrong)
