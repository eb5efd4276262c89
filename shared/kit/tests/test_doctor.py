"""The doctor: each thing is broken in turn, and its sentence is looked at."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest
from crm_kit.db.embedded import EmbeddedPostgres
from crm_kit.db.migrations import migrate
from crm_kit.db.provision import ServiceUrls
from crm_kit.doctor.command import look
from crm_kit.doctor.findings import Finding
from crm_kit.inbox import Consumer
from crm_kit.manifest import Feature
from crm_kit.settings import ServiceSettings
from crm_testkit.certificates import Authority
from crm_testkit.kafka_secured import SecuredKafka
from crm_testkit.toy_service.contracts import NOTE
from crm_testkit.toy_service.manifest import MANIFEST, toy_manifest

_SECRET = "only-for-tests-0123456789abcdefgh"


@dataclass
class Patient:
    environment: dict[str, str]
    urls: ServiceUrls
    superuser: str

    async def findings(self, **changed: str) -> list[Finding]:
        settings = ServiceSettings.load("toy", {**self.environment, **changed})
        return [finding async for finding in look(MANIFEST, settings)]

    async def complaints(self, **changed: str) -> dict[str, str]:
        """What is not well: sentence by check."""
        return {each.check: each.sentence for each in await self.findings(**changed) if each.state != "ok"}

    async def do(self, *statements: str, url: str | None = None) -> None:
        connection = await asyncpg.connect(url or self.urls.owner)
        try:
            for statement in statements:
                await connection.execute(statement)
        finally:
            await connection.close()


@pytest.fixture
async def patient(
    postgres_server: EmbeddedPostgres,
    postgres_database: Callable[[str], ServiceUrls],
    event_log_database: Callable[[], str],
) -> Patient:
    urls = postgres_database("toy")
    await migrate(MANIFEST.migrations, MANIFEST.metadata, urls.owner)
    environment = {
        "TOY_DATABASE_URL": urls.app,
        "TOY_SYSTEM_DATABASE_URL": urls.system,
        "TOY_OWNER_DATABASE_URL": urls.owner,
        "EVENT_LOG_URL": event_log_database(),
        "SECRET": _SECRET,
    }
    database = urls.app.partition("?")[0].rpartition("/")[2]
    return Patient(environment, urls, postgres_server.superuser_url(database))


def _command(patient: Patient, *options: str, **changed: str) -> "subprocess.CompletedProcess[str]":
    program = "from crm_kit.cli import run; from crm_testkit.toy_service.manifest import MANIFEST; run(MANIFEST)"
    return subprocess.run(
        [sys.executable, "-c", program, "doctor", *options],
        env={"PATH": os.environ["PATH"], **patient.environment, **changed},
        capture_output=True,
        text=True,
        check=False,
    )


async def test_who_is_well_is_told_so(patient: Patient) -> None:
    findings = await patient.findings()
    assert [each for each in findings if each.state != "ok"] == []
    looked_at = {each.check for each in findings}
    assert looked_at >= {"database", "roles", "version", "encryption", "clock", "connections", "migrations", "tenants"}
    assert looked_at >= {"outbox", "dead letters", "event log"}


def test_the_command_ends_with_0_and_speaks_json(patient: Patient) -> None:
    well = _command(patient, "--json")
    assert well.returncode == 0, well.stderr
    assert {each["state"] for each in json.loads(well.stdout)} == {"ok"}


def test_the_command_ends_with_1_at_a_fault_and_says_no_password(patient: Patient) -> None:
    wrong = patient.urls.app.replace(":app@", ":hunter2@")
    ill = _command(patient, TOY_DATABASE_URL=wrong, KAFKA_BOOTSTRAP_SERVER="x")
    assert ill.returncode == 1, ill.stderr
    assert "hunter2" not in ill.stdout + ill.stderr
    assert "FAULT   toy: database: TOY_DATABASE_URL: no connection to" in ill.stdout
    assert (
        "WARNING toy: settings: KAFKA_BOOTSTRAP_SERVER is read by nothing: is KAFKA_BOOTSTRAP_SERVERS meant?"
        in ill.stdout
    )


async def test_a_database_that_is_not_there(patient: Patient) -> None:
    said = await patient.complaints(TOY_DATABASE_URL="postgresql://toy_app:x@127.0.0.1:1/toy")
    assert said["database"].startswith("TOY_DATABASE_URL: no connection to toy as toy_app at 127.0.0.1:1: ")
    assert said["database"].endswith("Is the server there, and may this machine reach it?")


async def test_a_database_without_a_migration(
    patient: Patient, postgres_database: Callable[[str], ServiceUrls]
) -> None:
    empty = postgres_database("toy")
    said = await patient.complaints(
        TOY_DATABASE_URL=empty.app, TOY_SYSTEM_DATABASE_URL=empty.system, TOY_OWNER_DATABASE_URL=empty.owner
    )
    assert said == {"migrations": "The database is empty: run python -m crm_testkit.toy_service migrate."}


@pytest.mark.parametrize(
    ("revision", "sentence"),
    [("0000_before", "run python -m crm_testkit.toy_service migrate."), ("9999_after", "roll forward.")],
)
async def test_a_database_of_another_release(patient: Patient, revision: str, sentence: str) -> None:
    await patient.do(f"update alembic_version set version_num = '{revision}'")
    said = await patient.complaints()
    assert said.keys() == {"migrations"}
    assert revision in said["migrations"]
    assert said["migrations"].endswith(sentence)


async def test_a_table_whose_tenants_are_not_apart(patient: Patient) -> None:
    await patient.do("alter table note disable row level security")
    said = await patient.complaints()
    assert said == {
        "tenants": "Row-level security is off on note: tenants see each other; enable and force it.",
    }


async def test_a_role_that_sees_every_tenant(patient: Patient) -> None:
    role = patient.urls.app.partition("//")[2].partition(":")[0]
    await patient.do(f"alter role {role} bypassrls", url=patient.superuser)
    said = await patient.complaints()
    assert said["roles"].startswith("The role of TOY_DATABASE_URL has rolbypassrls")


async def test_events_that_nobody_relays(patient: Patient) -> None:
    await patient.do(
        "insert into outbox (tenant_id, shard, topic, key, headers, payload, created_at)"
        " values ('tenant_x', 0, 'crm.toy.note', 'a', '{}', '', now() - interval '10 minutes')",
        url=patient.superuser,
    )
    said = await patient.complaints()
    assert said.keys() == {"outbox"}
    assert said["outbox"].startswith("1 events wait in the outbox, the oldest for 60")
    assert "relay run" in said["outbox"]


async def test_dead_letters(patient: Patient) -> None:
    await patient.do(
        "insert into outbox (tenant_id, shard, topic, key, headers, payload, quarantined_at)"
        " values ('tenant_x', 0, 't', 'a', '{}', '', now())",
        url=patient.superuser,
    )
    assert await patient.complaints() == {
        "dead letters": "0 events could not be applied and 1 not be published: look at /v1/dead-letters, and replay or discard them."
    }


async def test_an_event_log_that_is_not_there(patient: Patient) -> None:
    said = await patient.complaints(EVENT_LOG_URL="postgresql://log:x@127.0.0.1:1/log")
    assert said.keys() == {"event log"}
    assert said["event log"].endswith("is it there, and as EVENT_LOG_URL and what goes with it say?")


@pytest.mark.parametrize(
    ("days", "state", "sentence"), [(-1, "fault", "expired on"), (5, "warning", "in 4 days; renew it.")]
)
async def test_certificates_that_end(patient: Patient, tmp_path: Path, days: int, state: str, sentence: str) -> None:
    issued = Authority(tmp_path).issue("toy", days=days)
    url = f"{patient.urls.owner}&sslmode=disable&sslcert={issued.certificate}&sslkey={issued.key}"
    found = [each for each in await patient.findings(TOY_OWNER_DATABASE_URL=url) if each.check == "certificates"]
    assert [each.state for each in found] == [state]
    assert sentence in found[0].sentence


@pytest.mark.kafka
async def test_kafka_that_is_not_as_it_has_to_be(patient: Patient, tmp_path: Path) -> None:
    kafka = SecuredKafka(tmp_path)
    with kafka.broker:
        if not kafka.broker.can_restart:
            pytest.skip("the Kafka of KAFKA_BOOTSTRAP_SERVERS has users of its own")
        await _look_at_kafka(patient, kafka)


async def _look_at_kafka(patient: Patient, kafka: SecuredKafka) -> None:
    from crm_kit.topics import acls_of

    async def hear(*_: object) -> None: ...

    manifest = toy_manifest(Feature(consumers=(Consumer(name="toy-hearing", topics=(NOTE,), handle=hear),)))
    settings = {
        "BUS": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": kafka.scram,
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": "toy",
        "KAFKA_SASL_PASSWORD": "toy-password",
        "KAFKA_SSL_CA_FILE": str(kafka.authority.file),
    }

    async def said(check: str, **changed: str) -> str:
        loaded = ServiceSettings.load("toy", {**patient.environment, **settings, **changed})
        found = [each async for each in look(manifest, loaded) if each.state != "ok" and each.check == check]
        return " ".join(each.sentence for each in found)

    look_again: Callable[..., Awaitable[str]] = said
    kafka.set_password("toy", "toy-password")
    assert "refuses the user toy or its password" in await look_again("event log", KAFKA_SASL_PASSWORD="wrong")
    assert "no right to the cluster, or to write any topic" in await look_again("event log")
    acls = acls_of(manifest)
    kafka.allow("toy", [acl for acl in acls if acl["resource"]["type"] == "topic"])
    assert "Topics are missing: crm.toy.note; create them as" in await look_again("topics")
    kafka.create([{"name": NOTE.name, "partitions": 3, "config": {"cleanup.policy": "delete"}}])
    sentences = await look_again("topics")
    assert "Not 12 partitions have crm.toy.note" in sentences
    assert "Not compacted are crm.toy.note" in sentences
    assert "One broker's loss may lose events of crm.toy.note" in sentences
    assert re.search("no right to .*group.*toy-hearing", await look_again("event log"))
    kafka.allow("toy", acls)
    assert await look_again("event log") == ""
