"""What a list shows as a CSV file, made in the background and kept for a day."""

import csv
import hashlib
import io
from codecs import BOM_UTF8
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from crm.records.access.field_rights import kinds_told_by, sees
from crm.records.access.visibility import hidden_slugs, readable_fields, require_scope
from crm.records.errors import BadCursor, Forbidden, NotFound
from crm.records.events import timers
from crm.records.events.timers import Due
from crm.records.fields.csv_cells import guarded
from crm.records.fields.parsing import ADDRESS_PARTS, as_json
from crm.records.jobs.jobs import Work, job_start
from crm.records.models import Job
from crm.records.query.paging import sort_keys
from crm.records.read import reading
from crm.records.schema import mentions
from crm.records.schema.field import ID_FIELD, SYSTEM_FIELDS, Field
from crm.records.schema.kinds import Kind
from crm.records.schema.record_type import RecordType
from crm.records.schema.registry import registry
from crm.workspace.auditing import audit_note
from tenants.actors import Actor, Scope, TenantRef

KEPT = timedelta(days=1)
TIMER = "export_expired"
ROWS = 500


def export_start(
    actor: Actor, record_type: RecordType, columns: Sequence[Field], wanted: reading.Query, *, name: str
) -> Job:
    """Begin to write all rows of a query to a file. Raises Forbidden without the right to export, BadQuery, and
    MissingScope for a column that names records which a key may not read."""
    require_scope(actor, record_type.slug, "export")
    if not actor.can(record_type.slug, "export"):
        raise Forbidden(_("Your role does not allow to export these."))
    for kind in kinds_told_by(columns):
        require_scope(actor, kind)
    sort_keys(record_type, wanted.sort, hidden_slugs(actor, record_type))
    params = {
        "columns": [one.slug for one in columns],
        "filter": dict(wanted.filter) if wanted.filter else None,
        "sort": list(wanted.sort),
        "search": wanted.search,
        "settled": wanted.settled,
    }
    title = _("Export of %(what)s") % {"what": name}
    return job_start(
        actor, "export", params, title=title, noun=record_type.slug, total=reading.count(actor, record_type, wanted)
    )


def exportable(actor: Actor, record_type: RecordType) -> dict[str, Field]:
    """The fields that can be columns of a file, by slug."""
    return {one.slug: one for one in (ID_FIELD, *readable_fields(actor, record_type), *SYSTEM_FIELDS.values())}


def columns_of(actor: Actor, record_type: RecordType) -> list[Field]:
    """The columns of a file where none are asked for: all but those that name records which a key may not read."""
    shown = [one for one in exportable(actor, record_type).values() if not one.hidden]
    return [one for one in shown if not any(actor.scope_needed(kind, "view") for kind in kinds_told_by([one]))]


def path_of(tenant: TenantRef, job_id: UUID) -> Path:
    return Path(settings.MEDIA_ROOT) / "tenants" / str(tenant.id) / "exports" / f"{job_id}.csv"


def export_step(work: Work) -> bool:
    """The runner of the kind ``export``: a page of rows. The file is cut to what was kept before, so that a page that
    is written again stands in it once."""
    job, actor = work.job, work.actor
    record_type, params = registry.get(job.noun), job.params
    if not actor.can(record_type.slug, "export"):
        raise Forbidden(_("Your role does not allow to export these."))
    known = exportable(actor, record_type)
    columns = [known[slug] for slug in params["columns"] if slug in known]
    slugs = [*dict.fromkeys(slug for one in columns for slug in (one.slug, one.currency) if slug in known)]
    days = [one.day for one in columns if one.day in known]
    query = reading.Query(
        filter=params["filter"],
        sort=tuple(params["sort"]),
        search=params["search"],
        limit=ROWS,
        cursor=job.place.get("cursor"),
        settled=params.get("settled", False),
        fields=tuple(dict.fromkeys([*slugs, *days])),
        expand=tuple(slug for slug in slugs if known[slug].kind in {Kind.RELATION, Kind.MEMBER} and slug != "id"),
    )
    try:
        page = reading.page(actor, record_type, query)
    except BadCursor:
        raise Forbidden(_("What you may see changed while this was exported. Begin again.")) from None
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    if not job.place:
        writer.writerow([guarded(str(known[slug].label)) for slug in slugs])
    writer.writerows([cell(known[slug], row) for slug in slugs] for row in within(actor, record_type, page.rows))
    size = append(path_of(actor.tenant, job.pk), job.place.get("size", 0), text.getvalue())
    job.done += len(page.rows)
    job.total = max(job.total, job.done)
    job.place = {"cursor": page.next_cursor, "size": size}
    if page.next_cursor:
        return True
    scopes = sorted(f"{kind}:read" for kind in (record_type.slug, *kinds_told_by(columns)) if sees(actor, kind))
    job.result = {"file": True, "rows": job.done, "sight": sight_of(actor), "scopes": scopes}
    timers.schedule(TIMER, "job", job.pk, timezone.now() + KEPT)
    audit_note(
        actor, "export.finished", record_id=job.pk, after={"noun": record_type.slug, "rows": job.done, "fields": slugs}
    )
    return False


def within(actor: Actor, record_type: RecordType, rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the rows that are seen, those that may be exported."""
    if actor.scope(record_type.slug, "export") is Scope.ALL:
        return list(rows)
    reached = reading.rows_allowing(actor, record_type, "export").filter(pk__in=[row["id"] for row in rows])
    allowed = set(reached.values_list("pk", flat=True))
    return [row for row in rows if row["id"] in allowed]


def append(path: Path, size: int, text: str) -> int:
    """Begins with what tells spreadsheets that it is UTF-8; ``export_file`` says how to go past it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab") as file:
        file.truncate(size)
        file.seek(size)
        file.write(text.encode() if size else BOM_UTF8 + text.encode())
        return file.tell()


def cell(one: Field, row: Mapping[str, Any]) -> str:
    """A value as plain text; relations by their names, as far as the reader may see them; times in UTC."""
    value = row.get(one.slug)
    if value is None:
        return ""
    if one is ID_FIELD:
        return str(value)
    match one.kind:
        case Kind.RELATION | Kind.MEMBER | Kind.REFERENCE:
            return guarded(name_of(value)) if isinstance(value, Mapping) else ""
        case Kind.LINKS | Kind.REFERENCES:
            return guarded(", ".join(filter(None, map(name_of, value))))
        case Kind.EMAILS | Kind.PHONES:
            return guarded(", ".join(item["value"] for item in value))
        case Kind.ADDRESS:
            return guarded(", ".join(str(value[part]) for part in ADDRESS_PARTS if value.get(part)))
        case Kind.CHOICE:
            choice = one.choice(value)
            return guarded(str(choice.label if choice else value))
        case Kind.JSON_LIST:
            return guarded(", ".join(map(str, value)))
        case Kind.CONDITION:
            return guarded(orjson.dumps(value).decode()) if value else ""
        case Kind.INTEGER | Kind.DECIMAL | Kind.MONEY | Kind.PERCENT:
            return str(value)
        case Kind.DATETIME if one.day and row.get(one.day):
            return str(as_json(row[one.day]))
    if isinstance(value, date | datetime | bool):
        return str(as_json(value)).lower() if isinstance(value, bool) else str(as_json(value))
    return guarded(mentions.plain(str(value)))


def name_of(related: Mapping[str, Any]) -> str:
    return mentions.plain(str(related.get("title") or ""))


def export_file(actor: Actor, job_id: UUID) -> tuple[Job, Path]:
    """The finished file, for who had it made and still may export; a key reads all that stands in it. Raises NotFound,
    Forbidden and MissingScope."""
    job = Job.objects.filter(pk=job_id, member=actor.member_id, kind="export", state=Job.State.DONE).first()
    path = path_of(actor.tenant, job_id)
    if job is None or job.finished_at is None or job.finished_at < timezone.now() - KEPT or not path.exists():
        raise NotFound(_("This file is not kept any more. Export again."))
    if not actor.can(job.noun, "export"):
        raise Forbidden(_("Your role does not allow to export these."))
    for scope in job.result.get("scopes", ()):
        require_scope(actor, scope.partition(":")[0])
    if job.result.get("sight") != sight_of(actor):
        raise Forbidden(_("What you may see has changed since this was made. Export again."))
    return job, path


def sight_of(actor: Actor) -> str:
    """What the actor's rights come to, in a short form: the same as long as nothing of them changes."""
    rights = (actor.permissions.to_json(), actor.permissions.fields, sorted(map(str, actor.team_members)))
    return hashlib.sha256(orjson.dumps(rights, default=dict, option=orjson.OPT_SORT_KEYS)).hexdigest()


def export_expired(tenant: TenantRef, due: Sequence[Due]) -> None:
    """The timer of exports: their files go."""
    for one in due:
        path_of(tenant, one.record_id).unlink(missing_ok=True)
    Job.objects.filter(pk__in=[one.record_id for one in due]).update(result={})
