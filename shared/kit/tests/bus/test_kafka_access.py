"""Kafka that asks who one is, for real: TLS, SCRAM, mutual TLS, rights, and credentials that change."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from crm_kit.app import create_app
from crm_kit.bus import AccessRefused, EventLog, KafkaAccess, Record, TopicSpec, Unavailable
from crm_kit.bus.kafka import KafkaEventLog
from crm_kit.db.provision import ServiceUrls
from crm_kit.db.session import WriteSession
from crm_kit.inbox import Consumer
from crm_kit.manifest import Feature
from crm_kit.runtime import Runtime
from crm_kit.topics import acls_of, topics_of
from crm_testkit.certificates import Authority
from crm_testkit.event_log_harness import Ledger, joined, running
from crm_testkit.kafka_secured import SecuredKafka
from crm_testkit.service import running_service
from crm_testkit.toy_service.contracts import NOTE
from crm_testkit.toy_service.manifest import toy_manifest

pytestmark = pytest.mark.kafka

_OTHERS = "crm.other.thing"


@pytest.fixture(scope="module")
def kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SecuredKafka]:
    secured = SecuredKafka(tmp_path_factory.mktemp("secured"))
    with secured.broker:
        if not secured.broker.can_restart:
            pytest.skip("the Kafka of KAFKA_BOOTSTRAP_SERVERS has users of its own")
        secured.create(topics_of(toy_manifest()))
        secured.create([{"name": _OTHERS, "partitions": 1, "config": {}}])
        for user in ("toy", "stranger"):
            secured.set_password(user, f"{user}-password")
        secured.allow("toy", acls_of(_manifest([])))
        yield secured


def _manifest(heard: list[str]) -> Any:
    async def hear(_session: WriteSession, events: Any) -> None:
        heard.extend(event.subject for event in events)

    return toy_manifest(Feature(consumers=(Consumer(name="toy-hearing", topics=(NOTE,), handle=hear),)))


def _ways(kafka: SecuredKafka) -> dict[str, tuple[str, dict[str, Any]]]:
    client = kafka.authority.issue("toy")
    by_password = {
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_username": "toy",
        "kafka_sasl_password": "toy-password",
        "kafka_ssl_ca_file": str(kafka.authority.file),
    }
    by_certificate = {
        "kafka_security_protocol": "SSL",
        "kafka_ssl_ca_file": str(kafka.authority.file),
        "kafka_ssl_certificate_file": str(client.certificate),
        "kafka_ssl_key_file": str(client.key),
    }
    return {
        "SCRAM-SHA-256": (kafka.scram, {**by_password, "kafka_sasl_mechanism": "SCRAM-SHA-256"}),
        "SCRAM-SHA-512": (kafka.scram, {**by_password, "kafka_sasl_mechanism": "SCRAM-SHA-512"}),
        "mutual TLS": (kafka.mutual, by_certificate),
    }


@pytest.mark.parametrize("way", ["SCRAM-SHA-256", "SCRAM-SHA-512", "mutual TLS"])
async def test_a_service_works_with_exactly_the_rights_that_it_prints(
    kafka: SecuredKafka,
    way: str,
    postgres_database: Callable[[str], ServiceUrls],
    tmp_path: Path,
) -> None:
    heard: list[str] = []
    servers, access = _ways(kafka)[way]
    settings = {"bus": "kafka", "kafka_bootstrap_servers": servers, "kafka_create_topics": False, **access}
    async with running_service(_manifest(heard), postgres_database("toy"), "", tmp_path, **settings) as service:
        note = await service.tenant().create("/v1/notes", title="a")
        async with asyncio.timeout(30):
            while note["id"] not in heard:
                await asyncio.sleep(0.05)


@asynccontextmanager
async def _log(servers: str, access: KafkaAccess, **options: Any) -> AsyncIterator[KafkaEventLog]:
    log = KafkaEventLog(servers, access=access, create_topics=False, acknowledged_within=5.0, **options)
    try:
        yield log
    finally:
        await log.close()


def _wrong(kafka: SecuredKafka, tmp_path: Path) -> dict[str, tuple[str, KafkaAccess, str]]:
    ours, foreign = str(kafka.authority.file), Authority(tmp_path, "foreign")
    theirs = foreign.issue("toy")
    with_theirs = {"certificate_file": str(theirs.certificate), "key_file": str(theirs.key)}
    expired = kafka.authority.issue("expired", days=-1)
    with_expired = {"certificate_file": str(expired.certificate), "key_file": str(expired.key)}
    return {
        "password": (kafka.scram, kafka.access("toy", "wrong"), "refuses the user toy or its password"),
        "user": (kafka.scram, kafka.access("nobody", "wrong"), "refuses the user nobody or its password"),
        "authority": (kafka.scram, kafka.access("toy", "toy-password", ca_file=str(foreign.file)), "is not trusted"),
        "no certificate": (kafka.mutual, KafkaAccess(protocol="SSL", ca_file=ours), "KAFKA_SSL_CERTIFICATE_FILE"),
        "their certificate": (kafka.mutual, KafkaAccess(protocol="SSL", ca_file=ours, **with_theirs), "certificate"),
        "expired": (kafka.mutual, KafkaAccess(protocol="SSL", ca_file=ours, **with_expired), "certificate"),
        "in clear": (kafka.scram, KafkaAccess(), "does KAFKA_SECURITY_PROTOCOL=PLAINTEXT fit its listener?"),
    }


@pytest.mark.parametrize(
    "wrong", ["password", "user", "authority", "no certificate", "their certificate", "expired", "in clear"]
)
async def test_who_is_not_let_in_is_told_why(kafka: SecuredKafka, tmp_path: Path, wrong: str) -> None:
    servers, access, reason = _wrong(kafka, tmp_path)[wrong]
    async with _log(servers, access) as log:
        with pytest.raises(AccessRefused) as refused:
            await log.start()
    assert reason in str(refused.value)
    assert "wrong" not in str(refused.value), "a password is never said"


async def test_a_broker_that_is_not_there_is_not_one_that_refuses(kafka: SecuredKafka) -> None:
    async with _log("127.0.0.1:1", kafka.access("toy", "toy-password")) as log:
        with pytest.raises(Unavailable) as gone:
            await log.start()
    assert not isinstance(gone.value, AccessRefused)


async def test_readiness_says_why_and_recovers_once_the_password_is_right(
    kafka: SecuredKafka, postgres_database: Callable[[str], ServiceUrls], tmp_path: Path
) -> None:
    file = tmp_path / "password"
    file.write_text("wrong\n")
    urls, manifest = postgres_database("toy"), _manifest([])
    environment = {
        "TOY_DATABASE_URL": urls.app,
        "TOY_SYSTEM_DATABASE_URL": urls.system,
        "SECRET": "only-for-tests-0123456789abcdefgh",
        "BUS": "kafka",
        "KAFKA_BOOTSTRAP_SERVERS": kafka.scram,
        "KAFKA_CREATE_TOPICS": "false",
        "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
        "KAFKA_SASL_USERNAME": "toy",
        "KAFKA_SASL_PASSWORD_FILE": str(file),
        "KAFKA_SSL_CA_FILE": str(kafka.authority.file),
    }
    runtime = Runtime(manifest, manifest.settings.load("toy", environment), ["relay"])
    app = create_app(manifest, runtime, object())  # type: ignore[arg-type]  # nobody is authenticated here
    async with (
        runtime.running(),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://toy") as client,
    ):
        reason = await _until_ready(client, lambda reason: reason is not None and "refuses the user toy" in reason)
        assert reason is not None
        assert reason.startswith("the event log refuses this service: Kafka refuses the user toy or its password")
        file.write_text("toy-password\n")
        await _until_ready(client, lambda reason: reason is None)


async def _until_ready(client: httpx.AsyncClient, satisfied: Callable[[str | None], bool]) -> str | None:
    async with asyncio.timeout(60):
        while True:
            answer = await client.get("/readyz")
            reason = None if answer.status_code == 200 else str(answer.json()["reason"])
            if satisfied(reason):
                return reason
            await asyncio.sleep(0.1)


async def test_another_services_topics_and_groups_are_closed(
    kafka: SecuredKafka, caplog: pytest.LogCaptureFixture
) -> None:
    async with _log(kafka.scram, kafka.access("toy", "toy-password")) as log:
        await log.start()
        with pytest.raises(AccessRefused, match=f"no right to the topic {_OTHERS}"):
            await log.publish([Record(_OTHERS, "a", b"1", {})])
        with pytest.raises(AccessRefused, match=_OTHERS):
            await log.ensure_topics([TopicSpec(_OTHERS, 1)])
        for group, topic in (("toy-hearing", _OTHERS), ("another-group", NOTE.name)):
            caplog.clear()
            async with joined(log, group, [topic], Ledger()) as member:
                await _until(lambda: "no right to the" in caplog.text, member.step)
                for _ in range(3):
                    assert await member.step(wait=2.0) == 0
            said = [
                line for line in caplog.records if line.name.startswith("crm_kit") and line.levelno >= logging.WARNING
            ]
            assert len(said) == 1, [line.getMessage() for line in said]
        await log.publish([Record(NOTE.name, "a", b"1", {})])  # and its own stay open


async def _until(condition: Callable[[], bool], step: Callable[[], Any]) -> None:
    async with asyncio.timeout(60):
        while not condition():
            await step()


async def test_a_user_without_rights_writes_and_creates_nothing(kafka: SecuredKafka) -> None:
    log = KafkaEventLog(kafka.scram, access=kafka.access("stranger", "stranger-password"))
    with pytest.raises(AccessRefused, match="or to write any topic"):
        await log.start()
    with pytest.raises(AccessRefused, match="KAFKA_CREATE_TOPICS=false"):
        await log.ensure_topics([TopicSpec("crm.stranger.thing", 1)])
    await log.close()


async def test_a_password_is_rotated_without_losing_an_event(kafka: SecuredKafka, tmp_path: Path) -> None:
    file = tmp_path / "password"
    file.write_text("toy-password")
    topic, ledger, sent = NOTE.name, Ledger(), 0
    access = kafka.access("toy", "at the start", password_file=file)

    async def write(log: EventLog) -> None:
        nonlocal sent
        while True:  # as the relay does: in order, again until it is acknowledged
            try:
                await log.publish([Record(topic, "rotated", str(sent + 1).encode(), {})])
            except Unavailable:
                await asyncio.sleep(0.2)
            else:
                sent += 1
                await asyncio.sleep(0.01)

    def seen() -> int:
        return max((int(each.value or b"0") for each in ledger.effects if each.key == "rotated"), default=0)

    async with _log(kafka.scram, access) as log, joined(log, "toy-hearing", [topic], ledger) as member:
        await log.start()
        async with running(write(log)):
            await member.run(lambda: seen() > 20)
            await asyncio.to_thread(kafka.set_password, "toy", "another-password")
            await asyncio.to_thread(kafka.broker.restart)  # every connection has to be made anew
            before = sent
            await _until_refused(log)
            file.write_text("another-password")
            await member.run(lambda: seen() > before + 20)
        await member.run(lambda: seen() >= sent)
    numbers = list(dict.fromkeys(int(each.value or b"0") for each in ledger.effects if each.key == "rotated"))
    assert numbers == list(range(1, len(numbers) + 1)), "none is lost, and none out of order"
    kafka.set_password("toy", "toy-password")


async def _until_refused(log: EventLog) -> None:
    async with asyncio.timeout(60):
        while True:
            try:
                await log.lag("toy-hearing", [NOTE.name])
            except AccessRefused:
                return
            except Unavailable:
                await asyncio.sleep(0.2)
