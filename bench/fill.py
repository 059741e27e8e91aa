"""A workspace full of rows, quickly: in SQL, as the write gate would have left them, but without their events."""

from typing import Any

import psycopg2
from psycopg2 import sql

FILL = """
SET search_path = {schema}, ext, pg_catalog;
CREATE TEMP TABLE words ON COMMIT DROP AS SELECT
    ARRAY['Anna','Bruno','Clara','David','Elena','Felix','Greta','Hugo','Ines','Jonas','Karin','Liam','Mara','Nils',
          'Olga','Paul','Quinn','Rosa','Simon','Tara','Ulrich','Vera','Walter','Xenia','Yusuf','Zofia'] AS first,
    ARRAY['Abbott','Becker','Costa','Dubois','Eriksen','Fischer','Garcia','Hansen','Ivanov','Jansen','Keller','Lopez',
          'Meyer','Novak','Olsen','Peters','Quist','Rossi','Schmidt','Tanaka','Umar','Vogel','Weber','Xu','Young',
          'Zimmer'] AS last,
    ARRAY['Oak','Glass','Window','Timber','Steel','Harbour','Castle','River','Mountain','Garden','Silver','Northern',
          'Golden','Crystal','Summit','Valley'] AS trade,
    ARRAY['Works','Partners','Group','Trading','Systems','Homes','Design','Supply'] AS form;

INSERT INTO people_company (created_at, updated_at, version, is_sample, name, sort_name, search_text, kind, domain,
    industry, size, phones, phones_keys, address, owner_id, description)
SELECT at, at, 1, false, name, lower(name), ' ' || lower(name) || ' ' || domain, kind, domain, industry, size,
    '[]', '{{}}', '{{}}', owner, ''
FROM (
    SELECT now() - (%(companies)s - i) * interval '37 seconds' AS at,
        format('%%s %%s %%s', trade[1 + i %% 16], form[1 + (i / 16) %% 8], i) AS name,
        format('c%%s.example', i) AS domain,
        (ARRAY['customer','prospect','supplier','partner'])[1 + i %% 4] AS kind,
        (ARRAY['Construction','Retail','Energy','Health'])[1 + (i / 3) %% 4] AS industry,
        (ARRAY['1-10','11-50','51-200'])[1 + i %% 3] AS size,
        (%(owners)s::uuid[])[1 + i %% %(owner_count)s] AS owner
    FROM words, generate_series(1, %(companies)s) AS i ORDER BY i
) AS made;

CREATE TEMP TABLE companies ON COMMIT DROP AS
    SELECT id, row_number() OVER (ORDER BY id) AS number FROM people_company;
CREATE UNIQUE INDEX ON companies (number);

INSERT INTO people_contact (created_at, updated_at, version, is_sample, name, sort_name, search_text, first_name,
    last_name, emails, emails_keys, phones, phones_keys, job, company_id, owner_id, status, language, source)
SELECT at, at, 1, false, name, lower(name),
    ' ' || lower(name) || ' ' || email || ' ' || phone, first_name, last_name,
    jsonb_build_array(jsonb_build_object('value', email, 'label', '')), ARRAY[email],
    jsonb_build_array(jsonb_build_object('value', phone, 'label', '')), ARRAY[phone],
    'Buyer', companies.id, owner, 'new', 'en', ''
FROM (
    SELECT i, now() - (%(rows)s - i) * interval '29 seconds' AS at,
        first[1 + i %% 26] AS first_name, last[1 + (i / 26) %% 26] || '-' || last[1 + (i / 676) %% 26] AS last_name,
        format('%%s %%s-%%s', first[1 + i %% 26], last[1 + (i / 26) %% 26], last[1 + (i / 676) %% 26]) AS name,
        lower(format('%%s.%%s%%s@c%%s.example', first[1 + i %% 26], last[1 + (i / 26) %% 26], i, i %% %(companies)s))
            AS email,
        format('+4930%%s', lpad(((i::bigint * 7919) %% 100000000)::text, 8, '0')) AS phone,
        (%(owners)s::uuid[])[1 + i %% %(owner_count)s] AS owner
    FROM words, generate_series(1, %(rows)s) AS i
) AS made JOIN companies ON companies.number = 1 + i %% %(companies)s ORDER BY i;

CREATE TEMP TABLE contacts ON COMMIT DROP AS
    SELECT id, company_id, row_number() OVER (ORDER BY id) AS number FROM people_contact;
CREATE UNIQUE INDEX ON contacts (number);
CREATE TEMP TABLE stages ON COMMIT DROP AS
    SELECT id, pipeline_id, probability, row_number() OVER (ORDER BY position) AS number,
        count(*) OVER () AS total FROM sales_stage WHERE deleted_at IS NULL;

INSERT INTO sales_deal (created_at, updated_at, version, is_sample, name, sort_name, search_text, company_id, amount,
    currency, owner_id, pipeline_id, stage_id, expected_close, source, probability, stage_entered_at)
SELECT at, at, 1, false, name, lower(name), ' ' || lower(name), contacts.company_id, amount, 'EUR', owner,
    stages.pipeline_id, stages.id, at::date + 60, '', stages.probability, at
FROM (
    SELECT i, now() - (%(rows)s - i) * interval '31 seconds' AS at,
        format('%%s for %%s %%s', trade[1 + (i / 5) %% 16], last[1 + i %% 26], i) AS name,
        (1 + (i::bigint * 131) %% 50000)::numeric AS amount,
        (%(owners)s::uuid[])[1 + i %% %(owner_count)s] AS owner
    FROM words, generate_series(1, %(rows)s) AS i
) AS made
JOIN contacts ON contacts.number = i
JOIN stages ON stages.number = 1 + (i * 7) %% stages.total ORDER BY i;

INSERT INTO sales_dealcontact (deal_id, contact_id, role)
SELECT deals.id, contacts.id, 'buyer'
FROM (SELECT id, row_number() OVER (ORDER BY id) AS number FROM sales_deal) AS deals
JOIN contacts USING (number);

INSERT INTO activities_task (created_at, updated_at, version, is_sample, name, sort_name, search_text, due_at,
    assignee_id, done, about_type, about_id, also, description, priority, outcome, next_step, repeat, series,
    series_start, series_zone)
SELECT now(), now(), 1, false, 'Call back', 'call back', ' call back', now() + interval '30 days', owner_id, false,
    'deal', id, '[]', '', '', '', '', '', '', '', ''
FROM (SELECT id, owner_id, row_number() OVER (ORDER BY id) AS number FROM sales_deal) AS deals
WHERE number %% 5 = 0;

INSERT INTO activities_place (noun, activity_id, about_type, about_id, planned_at)
SELECT 'task', id, about_type, about_id, due_at FROM activities_task;
"""

ACTIVITIES = ("activities_task", "activities_place")


def fill(admin_url: str, schema: str, rows: int, owners: list[str]) -> None:
    """``rows`` contacts and deals with a tenth as many companies and a fifth as many tasks."""
    connection = psycopg2.connect(admin_url)
    given: dict[str, Any] = {
        "rows": rows,
        "companies": max(1, rows // 10),
        "owners": owners,
        "owner_count": len(owners),
    }
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(sql.SQL(FILL).format(schema=sql.Identifier(schema)), given)
        connection.autocommit = True
        with connection.cursor() as cursor:
            for table in ("people_company", "people_contact", "sales_deal", "sales_dealcontact", *ACTIVITIES):
                cursor.execute(sql.SQL("VACUUM ANALYZE {}.{}").format(sql.Identifier(schema), sql.Identifier(table)))
    finally:
        connection.close()
