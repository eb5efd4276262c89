"""A tenant with as many customers as wanted: one made through the API, and copies of it by SQL, named as people are."""

import asyncio
from dataclasses import dataclass

import asyncpg
import httpx
from crm_local.stack import LocalStack

_SURNAMES = list("王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕苏卢蒋蔡贾丁魏薛叶阎")
_GIVEN = list("伟芳娜敏静丽强磊军洋勇艳杰娟涛明超秀霞平刚桂英华玉兰红建国文辉梅晓雪婷宇浩轩子涵欣怡思琪佳慧鹏飞志")
_FIRST = "James Mary Robert Patricia John Jennifer Michael Linda David Elizabeth William Barbara Richard Susan".split()
_LAST = "Smith Johnson Williams Brown Jones Garcia Miller Davis Rodriguez Martinez Hernandez Lopez Gonzalez".split()

# Surnames are skewed: the square makes the first ten of fifty hold nearly half of all.
_NAMES = """
    create temporary table filled on commit drop as
    select n, id, case when n % 3 = 0 then first || ' ' || last else surname || given end as name from (
        select n, 'contact_0' || substr(md5(n::text), 1, 25) as id,
               ($1::text[])[1 + floor(power(a, 2) * cardinality($1::text[]))::int] as surname,
               ($2::text[])[1 + floor(b * cardinality($2::text[]))::int]
                 || case when c < 0.8 then ($2::text[])[1 + floor(c * 1.25 * cardinality($2::text[]))::int] else '' end as given,
               ($3::text[])[1 + floor(b * cardinality($3::text[]))::int] as first,
               ($4::text[])[1 + floor(c * cardinality($4::text[]))::int] as last
          from (select n, random() as a, random() as b, random() as c
                  from generate_series($5::bigint, $6::bigint) as n) as drawn
    ) as named
"""
_CONTACTS = """
    insert into contact (tenant_id, id, version, created_at, updated_at, full_name, emails, email_keys, phones,
                         phone_numbers, lifecycle_stage, owner_id, external_ids, external_keys, tags, custom, shares)
    select tenant_id, f.id, 1, created_at - n * interval '1 second', updated_at, f.name,
           jsonb_build_array(jsonb_build_object('address', 'c' || n || '@example.com', 'primary', true, 'verified', false)),
           array['c' || n || '@example.com'], phones, array['+861' || (3000000000 + n)],
           (array['lead', 'customer', 'qualified', 'loyal'])[1 + n % 4],
           'user_0' || substr(md5((n % 997)::text), 1, 25),
           external_ids, external_keys, tags, custom, shares
      from contact, filled as f where contact.id = $1
"""
_ENTITIES = """
    insert into entity (tenant_id, id, type, service, version, deleted, time, contact_id, created_at, at, status, open, data)
    select tenant_id, f.id, type, service, 1, false, time, f.id, created_at, at, status, open,
           replace(replace(data::text, $1, f.id), $2, f.name)::json
      from entity, filled as f where entity.id = $1
        on conflict do nothing
"""
# The gateway's job that compares with the services may have found, and mended, some of them before.
_VIEWS = """
    insert into customer_view (tenant_id, id, kind, name, version, as_of, doc, digest, sources, keys)
    select tenant_id, f.id, kind, f.name, 1, as_of,
           convert_to(replace(replace(convert_from(doc, 'UTF8'), $1, f.id), $2, f.name), 'UTF8'),
           decode(md5(f.id), 'hex'), replace(sources::text, $1, f.id)::json, '{}'
      from customer_view, filled as f where customer_view.id = $1
        on conflict do nothing
"""
_TEMPLATE = "欧阳样板"
_PIECE = 50_000


@dataclass(frozen=True)
class Dataset:
    """`customers`: ids to read, spread over all of them."""

    size: int
    customers: list[str]
    view_bytes: int


class Filler:
    """Fills the demo tenant step by step."""

    def __init__(self, stack: LocalStack, client: httpx.AsyncClient) -> None:
        self._stack = stack
        self._client = client
        self._template = ""
        self._filled = 0

    async def fill(self, size: int, *, sample: int = 2_000) -> Dataset:
        """Until there are `size` customers."""
        if not self._template:
            self._template = await self._make_template()
        await self._copy("contacts", size, [(_CONTACTS, (self._template,))], "contact")
        about = (self._template, _TEMPLATE)
        await self._copy("gateway", size, [(_ENTITIES, about), (_VIEWS, about)], "entity, customer_view")
        self._filled = size
        connection = await asyncpg.connect(self._stack.database_url("gateway"))
        try:
            rows = await connection.fetch(
                "select 'contact_0' || substr(md5(n::text), 1, 25) as id from"
                " (select distinct 1 + floor(random() * $1)::bigint as n from generate_series(1, $2)) as drawn",
                size,
                sample,
            )
        finally:
            await connection.close()
        customers = [row["id"] for row in rows]
        view = await self._client.get(f"/v1/customers/{customers[0]}")
        view.raise_for_status()
        return Dataset(size, customers, len(view.content))

    async def _copy(self, database: str, size: int, statements: list[tuple[str, tuple[str, ...]]], tables: str) -> None:
        connection = await asyncpg.connect(self._stack.database_url(database), command_timeout=1800)
        try:
            for first in range(self._filled + 1, size + 1, _PIECE):
                async with connection.transaction():
                    # The same names in both databases.
                    await connection.execute("select setseed($1)", 1 / first)
                    last = min(size, first + _PIECE - 1)
                    await connection.execute(_NAMES, _SURNAMES, _GIVEN, _FIRST, _LAST, first, last)
                    for statement, arguments in statements:
                        await connection.execute(statement, *arguments)
            await connection.execute(f"vacuum analyze {tables}")
        finally:
            await connection.close()

    async def _make_template(self) -> str:
        contact = await self._post(
            "/v1/contacts",
            full_name=_TEMPLATE,
            emails=[{"address": "sample@example.com"}],
            phones=[{"number": "+8613800138000"}],
            tags=["vip"],
            custom={"level": "A"},
        )
        await asyncio.sleep(2)
        return contact["id"]

    async def _post(self, path: str, **body: object) -> dict[str, str]:
        answer = await self._client.post(path, json=body)
        answer.raise_for_status()
        made: dict[str, str] = answer.json()
        return made
