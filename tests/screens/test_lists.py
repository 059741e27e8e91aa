"""Lists: narrowing, ordering, paging, editing in place and in bulk."""

import re
from typing import Any

import pytest

from crm.workspace.models import Member
from tests import factories
from tests.screens.conftest import HTMX, filtered


def names(answer: Any) -> list[str]:
    return re.findall(r"data-row-link>([^<]+)<", answer.content.decode())


def test_filter_sort_and_search_narrow_the_list(owner: Any, browser_client: Any) -> None:
    for name, size in (("Ahorn", "1-10"), ("Buche", "11-50"), ("Eiche", "11-50")):
        factories.company(owner, name=name, size=size)
    client = browser_client(owner)
    assert names(client.get("/companies/?sort=-name")) == ["Eiche", "Buche", "Ahorn"]
    tree = {"field": "size", "op": "eq", "value": "11-50"}
    answer = client.get("/companies/" + filtered(tree, sort="name"))
    assert names(answer) == ["Buche", "Eiche"]
    assert "filter-chip" in answer.content.decode()
    either = {"any": [{"field": "name", "op": "eq", "value": "Ahorn"}, {"field": "name", "op": "eq", "value": "Eiche"}]}
    assert names(client.get("/companies/" + filtered(either, sort="name"))) == ["Ahorn", "Eiche"]
    assert names(client.get("/companies/?q=buch")) == ["Buche"]


def test_a_search_while_one_types_goes_along_to_export_columns_and_groups(owner: Any, browser_client: Any) -> None:
    factories.company(owner, name="Ahorn")
    found = browser_client(owner).get("/companies/?q=aho", headers={**HTMX, "HX-Target": "results"}).content.decode()
    assert '<div class="list-tools" id="list-tools" hx-swap-oob="true">' in found
    for tool in ("/companies/export/", "/companies/columns/"):
        assert '<input type="hidden" name="q" value="aho">' in found.split(f'action="{tool}"')[1].split("</form>")[0]
    assert "/companies/?q=aho&amp;group=owner" in found
    assert "/companies/?q=aho&amp;sort=name" in found


def test_a_list_is_sorted_by_what_is_no_column_of_it_and_turned_round(owner: Any, browser_client: Any) -> None:
    client = browser_client(owner)
    for name in ("Ahorn", "Buche"):
        factories.company(owner, name=name)
    menu = client.get("/companies/?columns=name&sort=updated_at").content.decode().split('id="sort-menu"')[1]
    assert "/companies/?sort=-updated_at&amp;columns=name" in menu
    assert names(client.get("/companies/?columns=name&sort=-updated_at")) == ["Buche", "Ahorn"]


@pytest.mark.parametrize(
    "broken",
    [
        "{",
        "[]",
        "1",
        '{"field": "nosuch", "op": "eq", "value": 1}',
        '{"field": "name", "op": "nosuch", "value": "x"}',
        '{"field": "name"}',
        '{"all": {"a": 1}}',
        '{"field": "company.owner.name", "op": "eq", "value": "x"}',
        '{"field": "name", "op": "eq", "value": "\\u0000"}',
        '{"field": "owner", "op": "in", "value": ["x"]}',
        '{"not": ' * 40 + "{}" + "}" * 40,
        "[" * 10_000,
    ],
)
def test_broken_filter_is_told_and_the_rest_is_kept(broken: str, owner: Any, browser_client: Any) -> None:
    factories.company(owner, name="Ahorn")
    factories.company(owner, name="Buche")
    answer = browser_client(owner).get("/companies/" + filtered(broken, q="Ahorn"))
    assert answer.status_code == 400
    assert names(answer) == ["Ahorn"]
    assert "callout-warning" in answer.content.decode()


@pytest.mark.parametrize("query", ["?sort=nosuch", "?sort=description", "?sort=--", "?cursor=broken", "?cursor=%00"])
def test_bad_sort_and_cursor_still_show_the_list(query: str, owner: Any, browser_client: Any) -> None:
    factories.company(owner, name="Ahorn")
    answer = browser_client(owner).get(f"/companies/{query}")
    assert answer.status_code == 400
    assert names(answer) == ["Ahorn"]


def test_all_pages_together_hold_every_row_once(owner: Any, browser_client: Any) -> None:
    from crm.records.schema.registry import registry
    from crm.records.write import gate

    gate.create_many(owner, registry.get("company"), [{"name": f"Company {number:03}"} for number in range(120)])
    client = browser_client(owner)
    seen: list[str] = []
    url = "/companies/?sort=name"
    pages = 0
    while url:
        answer = client.get(url, headers={**HTMX, "HX-Target": "more"} if pages else {})
        seen += names(answer)
        found = re.search(r'id="more"><td[^>]*><a[^>]*href="([^"]+)"', answer.content.decode())
        url = found[1].replace("&amp;", "&") if found else ""
        pages += 1
    assert seen == [f"Company {number:03}" for number in range(120)]
    assert pages == 3


def test_empty_says_why(owner: Any, reader: Any, browser_client: Any) -> None:
    none_yet = browser_client(owner).get("/companies/").content.decode()
    assert "No companies yet" in none_yet
    assert "/companies/new/" in none_yet
    assert "Clear filters" in browser_client(owner).get("/companies/?q=nothing").content.decode()
    assert "Ask an owner" in browser_client(reader).get("/companies/").content.decode()


def test_chosen_columns_are_kept_in_their_order(owner: Any, browser_client: Any) -> None:
    factories.company(owner, industry="Joinery")
    client = browser_client(owner)
    client.post("/companies/columns/", {"column": ["name", "domain", "industry", "nosuch"]})
    headings = re.findall(r'<th scope="col"[^>]*>(?:<a[^>]*>)?([^<]+)', client.get("/companies/").content.decode())
    assert headings[:3] == ["Name", "Domain", "Industry"]
    client.post("/companies/columns/", {"reset": "1"})
    assert ">Kind<" in client.get("/companies/").content.decode()


def test_totals_count_what_is_filtered(owner: Any, browser_client: Any) -> None:
    factories.deal(owner, name="A", amount="100", currency="EUR")
    factories.deal(owner, name="B", amount="250", currency="EUR")
    client = browser_client(owner)
    assert "2 records" in client.get("/deals/totals/").content.decode()
    assert "€350" in client.get("/deals/totals/").content.decode()
    tree = {"field": "amount", "op": "gte", "value": "200"}
    assert "€250" in client.get("/deals/totals/" + filtered(tree)).content.decode()


def test_filter_form_becomes_a_tree(owner: Any, browser_client: Any) -> None:
    sent = {
        "match": "any",
        "row": ["0", "1"],
        "c0.field": "name",
        "c0.was": "name",
        "c0.op": "contains",
        "c0.value": "ei",
        "c1.field": "created_at",
        "c1.was": "created_at",
        "c1.op": "last_n_days",
        "c1.value": "7",
        "apply": "1",
    }
    answer = browser_client(owner).get("/companies/filter/", sent)
    assert answer.status_code == 302
    assert "%22any%22" in answer["Location"]
    assert browser_client(owner).get(answer["Location"]).status_code == 200
    lacking = browser_client(owner).get("/companies/filter/", {**sent, "c0.value": ""})
    assert lacking.status_code == 422
    assert 'value="7"' in lacking.content.decode()
    assert "Choose a value" in lacking.content.decode()


@pytest.mark.slow("opens a list for each field and operator")
def test_every_field_and_operator_can_be_asked_for(owner: Any, filled: Any, browser_client: Any) -> None:
    from crm.records.lists.filtering import filterable, path_field
    from crm.records.query.operators import OPERATORS
    from crm.records.schema.registry import registry

    client = browser_client(owner)
    for plural in ("companies", "contacts", "deals", "tasks"):
        record_type = registry.by_plural(plural)
        for path, _label in filterable(owner, record_type):
            for operator in OPERATORS[path_field(record_type, path).kind]:
                sent = {"match": "all", "row": "0", "c0.field": path, "c0.was": path, "c0.op": operator}
                answer = client.get(f"/{plural}/filter/", sent, headers=HTMX)
                assert answer.status_code == 200, (path, operator)


# --- editing in place -------------------------------------------------------------------------------------------------


def test_cell_is_edited_in_place_and_undone(owner: Any, browser_client: Any) -> None:
    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    url = f"/companies/{company.id}/edit/industry/"
    editor = client.get(url, headers=HTMX)
    assert 'name="industry"' in editor.content.decode()
    saved = client.post(url, {"industry": "Joinery", "version": "1"}, headers=HTMX)
    assert saved.status_code == 200
    assert saved.content.decode().strip() == "Joinery"
    undo = re.search(r'"undo_url": "([^"]+)"', saved["HX-Trigger"])
    assert undo
    assert client.post(undo[1]).status_code == 302
    company.refresh_from_db()
    assert company.industry == ""


def test_editing_meanwhile_says_what_it_is_now(owner: Any, browser_client: Any) -> None:
    company = factories.company(owner, name="Ahorn")
    client = browser_client(owner)
    url = f"/companies/{company.id}/edit/name/"
    assert client.post(url, {"name": "Buche", "version": "1"}, headers=HTMX).status_code == 200
    late = client.post(url, {"name": "Eiche", "version": "1"}, headers=HTMX)
    assert late.status_code == 422
    text = late.content.decode()
    assert "Buche" in text
    assert 'value="Eiche"' in text
    assert 'name="version" value="2"' in text
    assert "Replace it with mine" in text
    kept = client.post(url, {"name": "Eiche", "version": "2", "keep": "theirs"}, headers=HTMX)
    assert "Buche" in kept.content.decode()
    company.refresh_from_db()
    assert (company.name, company.version) == ("Buche", 2)


def test_editing_another_field_meanwhile_is_no_conflict(owner: Any, browser_client: Any) -> None:
    deal = factories.deal(owner, name="Ahorn", amount="100", currency="EUR")
    client = browser_client(owner)
    name, amount = (f"/deals/{deal.id}/edit/{slug}/" for slug in ("name", "amount"))
    assert client.post(name, {"name": "Buche", "version": "1"}, headers=HTMX).status_code == 200
    saved = client.post(amount, {"amount": "250", "currency": "EUR", "version": "1"}, headers=HTMX)
    assert saved.status_code == 200
    deal.refresh_from_db()
    assert (deal.name, deal.amount, deal.version) == ("Buche", 250, 3)
    late = client.post(amount, {"amount": "300", "currency": "USD", "version": "1"}, headers=HTMX)
    assert late.status_code == 422
    unread = client.post(amount, {"amount": "300,5,5", "currency": "EUR", "version": "1"}, headers=HTMX)
    assert 'name="version" value="1"' in unread.content.decode()


@pytest.mark.parametrize(
    ("format", "typed"),
    [("comma_point", "0,005"), ("comma_point", "0 005"), ("comma_point", "1,08"), ("point_comma", "0.005.000")],
)
def test_an_amount_with_a_sign_that_parts_no_thousands_is_refused(
    format: str, typed: str, owner: Any, browser_client: Any
) -> None:
    deal = factories.deal(owner, amount="7", currency="EUR")
    Member.objects.filter(pk=owner.member_id).update(number_format=format)
    client = browser_client(owner)
    cell = client.post(
        f"/deals/{deal.id}/edit/amount/", {"amount": typed, "currency": "EUR", "version": "1"}, headers=HTMX
    )
    assert cell.status_code == 422
    assert f'value="{typed}"' in cell.content.decode()
    form = client.post("/deals/new/", {"name": "Other", "amount": typed, "currency": "EUR"})
    assert form.status_code == 422
    deal.refresh_from_db()
    assert deal.amount == 7


def test_wrong_value_keeps_what_was_typed(owner: Any, browser_client: Any) -> None:
    deal = factories.deal(owner)
    answer = browser_client(owner).post(
        f"/deals/{deal.id}/edit/amount/", {"amount": "a lot", "currency": "EUR", "version": "1"}, headers=HTMX
    )
    assert answer.status_code == 422
    assert 'value="a lot"' in answer.content.decode()
    assert "field-errors" in answer.content.decode()


@pytest.mark.parametrize("field", ["version", "deleted_at", "stage_entered_at", "nosuch", "created_by"])
def test_only_editable_fields_have_an_editor(field: str, owner: Any, browser_client: Any) -> None:
    deal = factories.deal(owner)
    assert browser_client(owner).get(f"/deals/{deal.id}/edit/{field}/").status_code == 404


def test_every_editor_opens_and_saves_unchanged(owner: Any, filled: Any, browser_client: Any) -> None:
    from crm.records.schema.registry import registry

    client = browser_client(owner)
    for plural, record in filled.items():
        for field in registry.by_plural(plural).fields:
            if field.editable and not field.hidden:
                answer = client.get(f"/{plural}/{record.id}/edit/{field.slug}/", headers=HTMX)
                assert answer.status_code == 200, (plural, field.slug)
                assert f'name="{field.slug}' in answer.content.decode(), (plural, field.slug)


# --- in bulk ----------------------------------------------------------------------------------------------------------


def test_field_set_on_many_and_all_of_them_undone(owner: Any, browser_client: Any) -> None:
    from crm.people.models import Company

    ids = [str(factories.company(owner, name=name).id) for name in ("Ahorn", "Buche", "Eiche")]
    client = browser_client(owner)
    assert "industry" in client.get("/companies/bulk/field/?field=industry").content.decode()
    answer = client.post("/companies/bulk/", {"id": ids, "action": "set", "field": "industry", "industry": "Joinery"})
    assert answer.status_code == 302
    assert Company.objects.filter(industry="Joinery").count() == 3
    assert client.post("/undo/last/", {"shown": " ".join(ids)}).status_code == 302
    assert Company.objects.filter(industry="Joinery").count() == 0


def test_many_are_thrown_away_and_brought_back(owner: Any, browser_client: Any) -> None:
    ids = [str(factories.company(owner, name=name).id) for name in ("Ahorn", "Buche")]
    client = browser_client(owner)
    client.post("/companies/bulk/", {"id": ids, "action": "trash"})
    assert names(client.get("/companies/")) == []
    assert "Ahorn" in client.get("/trash/?noun=companies").content.decode()
    client.post(f"/companies/{ids[0]}/restore/")
    assert names(client.get("/companies/")) == ["Ahorn"]


@pytest.mark.parametrize(
    "sent",
    [
        {"action": "trash"},
        {"id": "x", "action": "trash"},
        {"id": "00000000-0000-0000-0000-000000000000", "action": "trash"},
        {"id": "OWN", "action": "set", "field": "size", "size": "huge"},
        {"id": "OWN", "action": "set", "field": "version", "version": "9"},
        {"id": "OWN"},
    ],
)
def test_bulk_with_nonsense_changes_nothing(sent: dict[str, str], owner: Any, browser_client: Any) -> None:
    company = factories.company(owner, name="Ahorn")
    values = {name: str(company.id) if value == "OWN" else value for name, value in sent.items()}
    answer = browser_client(owner).post("/companies/bulk/", values)
    assert answer.status_code in {404, 422}
    company.refresh_from_db()
    assert company.version == 1


def test_tasks_open_on_what_is_to_do_and_keep_what_is_done_apart(owner: Any, browser_client: Any) -> None:
    factories.task(owner, name="Measure the windows")
    factories.task(owner, name="Send the offer", done=True)
    client = browser_client(owner)
    opened, done = client.get("/tasks/").content.decode(), client.get("/tasks/?done=1").content.decode()
    assert "Measure the windows" in opened
    assert "Send the offer" not in opened
    assert "Send the offer" in done
    assert "Measure the windows" not in done
    assert "Done: Measure the windows" in opened
    assert "Open again: Send the offer" in done


def test_filter_that_speaks_of_done_is_asked_as_it_stands(owner: Any, browser_client: Any) -> None:
    factories.task(owner, name="Send the offer", done=True)
    page = browser_client(owner).get("/tasks/" + filtered({"field": "done", "op": "eq", "value": True}))
    assert "Send the offer" in page.content.decode()


def test_reader_sees_no_tick(reader: Any, owner: Any, browser_client: Any) -> None:
    factories.task(owner, name="Measure the windows")
    page = browser_client(reader).get("/tasks/").content.decode()
    assert "Measure the windows" in page
    assert "Done: Measure the windows" not in page
