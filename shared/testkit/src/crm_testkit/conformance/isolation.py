"""One tenant cannot see another's anything: over HTTP, and in the database whatever a query forgot."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from crm_kit.audit.tables import AUDIT_APP_TABLES, AUDIT_SYSTEM_TABLES
from crm_kit.db.provision import ServiceUrls
from crm_kit.tables import SYSTEM_TABLES
from crm_kit.tenants.table import TENANT_STATE

from crm_testkit.conformance.sample import ResourceSuite, Sample, Subject, offered, offering
from crm_testkit.service import ServiceUnderTest

_TABLES = """
    select c.relname as name, c.relrowsecurity and c.relforcerowsecurity as protected
      from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attname = 'tenant_id'
     where c.relkind in ('r', 'p') and c.relnamespace = 'public'::regnamespace
     order by 1
"""


@asynccontextmanager
async def connected(url: str, tenant_id: str | None = None) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
    connection = await asyncpg.connect(url)
    try:
        if tenant_id is not None:
            await connection.execute("select set_config('app.tenant_id', $1, false)", tenant_id)
        yield connection
    finally:
        await connection.close()


class IsolationRules(ResourceSuite):
    @offering("create", "get")
    async def test_another_tenants_entity_does_not_exist(self, subject: Subject) -> None:
        entity = await subject.create()
        stranger = subject.service.tenant()
        operations = set((await subject.service.anonymous().get("/openapi.json")).json()["paths"])
        answers = [await stranger.client.get(subject.at(entity))]
        if f"{subject.sample.path}/batch" in operations:
            answers.append(await stranger.client.patch(subject.at(entity), json=subject.sample.patch))
            answers.append(await stranger.client.delete(subject.at(entity)))
            answers.append(await stranger.client.get(subject.at(entity), headers={"If-None-Match": '"1"'}))
        assert {answer.status_code for answer in answers} <= {404, 405}
        absent = await stranger.client.get(subject.at(subject.sample.absent))
        assert answers[0].json().keys() == absent.json().keys()
        if "{" not in subject.sample.path:
            assert (await stranger.read(subject.path))["data"] == []
            assert (await stranger.read(subject.path, id=entity["id"]))["data"] == []
        if f"{subject.sample.path}/search" in operations:
            found = await stranger.client.post(f"{subject.path}/search", json={})
            assert found.json()["data"] == []
        assert await subject.tenant.read(subject.at(entity)) == entity

    @property
    def _creatable(self) -> list[Sample]:
        return [sample for sample in self.samples if "create" in offered(self.manifest, sample.path)]

    async def _one_of_each(self, service: ServiceUnderTest) -> str:
        """A tenant that has rows in the tables of every resource that clients create."""
        tenant = service.tenant()
        for sample in self._creatable:
            await Subject(service, sample, tenant, await sample.prepare(tenant)).create()
        return tenant.id

    async def test_the_database_shows_each_tenant_its_own_rows_alone(self, service: ServiceUnderTest) -> None:
        ours, theirs = await self._one_of_each(service), await self._one_of_each(service)
        async with connected(service.urls.app) as nobody, connected(service.urls.app, ours) as us:
            tables = await nobody.fetch(_TABLES)
            assert [row["name"] for row in tables if not row["protected"]] == []
            shown = 0
            for row in tables:
                name = row["name"]
                assert await nobody.fetchval(f"select count(*) from {name}") == 0, name
                tenants = {found[0] for found in await us.fetch(f"select distinct tenant_id from {name}")}
                assert tenants <= {ours}, name
                shown += bool(tenants)
                if name not in {*AUDIT_APP_TABLES, TENANT_STATE.name}:
                    await us.execute(f"update {name} set tenant_id = tenant_id where tenant_id = '{theirs}'")
                if tenants:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await us.execute(f"update {name} set tenant_id = '{theirs}'")
            assert shown >= len(self._creatable)

    async def test_the_application_cannot_rise_above_its_role(
        self, service: ServiceUnderTest, postgres_database: Callable[[str], ServiceUrls]
    ) -> None:
        ours = await self._one_of_each(service)
        app = urlsplit(service.urls.app)
        owner, system = (str(urlsplit(url).username) for url in (service.urls.owner, service.urls.system))
        table = self.samples[0].topic.entity
        async with connected(service.urls.app, ours) as connection:
            tables = [row["name"] for row in await connection.fetch(_TABLES)]
            table = table if table in tables else tables[0]
            for statement in (
                f"alter table {table} disable row level security",
                f"alter table {table} no force row level security",
                f"drop policy tenant on {table}",
                f"create policy mine on {table} using (true)",
                f"drop table {table}",
                f"truncate {table}",
                "create table mine (a int)",
                f"set role {owner}",
                f"set role {system}",
                f"set session authorization {owner}",
                f"alter role {app.username} bypassrls",
                f"grant {owner} to {app.username}",
                f"set row_security = off; select * from {table}",
                "copy (select 1) to program 'true'",
            ):
                with pytest.raises(asyncpg.PostgresError):
                    await connection.execute(statement)
        elsewhere = urlsplit(postgres_database("elsewhere").app).path
        for path in (elsewhere, "/postgres", "/template1"):
            with pytest.raises(asyncpg.PostgresError):
                await asyncpg.connect(urlunsplit(app._replace(path=path)))

    async def test_the_system_role_sees_its_own_tables_alone(self, service: ServiceUnderTest) -> None:
        await self._one_of_each(service)
        open_to_it = {*SYSTEM_TABLES, *AUDIT_SYSTEM_TABLES, TENANT_STATE.name, *self.manifest.system_tables}
        async with connected(service.urls.system) as connection:
            for row in await connection.fetch(_TABLES):
                if row["name"] not in open_to_it:
                    with pytest.raises(asyncpg.InsufficientPrivilegeError):
                        await connection.execute(f"select count(*) from {row['name']}")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute("select payload from parked_event")
