"""Examples with the workspace's own address and stages, that run as they are printed."""

import json
import shlex
from dataclasses import dataclass

from django.conf import settings
from django.utils.translation import gettext as _

from crm.records.read import reading
from crm.records.read.reading import Query
from crm.records.schema.registry import registry
from tenants.actors import Actor
from tenants.workspaces.hosts import tenant_host, tenant_url

PLACEHOLDER = "rpt_live_…"


@dataclass(frozen=True, slots=True)
class Examples:
    """``base_url`` and ready programs; ``stages`` are (id, name) of the stages a new deal can stand in."""

    base_url: str
    stages: list[tuple[str, str]]
    list_curl: str
    create_curl: str
    create_python: str


def examples(actor: Actor, *, key: str = "") -> Examples:
    """Examples for this workspace, with ``key`` in them when it is given."""
    base_url = tenant_url(actor.tenant, "/api/v1")
    rows = reading.page(
        actor,
        registry.get("stage"),
        Query(filter={"field": "kind", "op": "eq", "value": "open"}, sort=("position",), fields=("name",), limit=50),
    ).rows
    stages = [(str(row["id"]), str(row["name"])) for row in rows]
    deal = {"name": _("First deal by the API"), "amount": "1200.00", "currency": actor.tenant.currency}
    if stages:
        deal["stage"] = stages[0][0]
    token = key or PLACEHOLDER
    return Examples(
        base_url=base_url,
        stages=stages,
        list_curl=f"curl {base_url}/deals?limit=5 \\\n  -H 'Authorization: Bearer {token}'",
        create_curl=(
            f"curl -X POST {base_url}/deals \\\n  -H 'Authorization: Bearer {token}' \\\n"
            f"  -H 'Content-Type: application/json' \\\n  -d {shlex.quote(json.dumps(deal, ensure_ascii=False))}"
        ),
        create_python=_python(actor, base_url, token, deal),
    )


def _python(actor: Actor, base_url: str, token: str, deal: dict[str, str]) -> str:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    address = f"{base_url}/deals"
    if settings.BASE_DOMAIN == "localhost":
        headers["Host"] = tenant_host(actor.tenant)
        address = f"http://127.0.0.1:{settings.PORT}/api/v1/deals"
    lines = [
        "import json",
        "import urllib.request",
        "",
        f"deal = {json.dumps(deal, ensure_ascii=False, indent=4)}",
        "request = urllib.request.Request(",
        f"    {json.dumps(address)},",
        "    data=json.dumps(deal).encode(),",
        f"    headers={json.dumps(headers, indent=4)},",
        ")",
        "print(json.load(urllib.request.urlopen(request)))",
    ]
    return "\n".join(lines)
