"""Each process takes the settings that its manifest gives it; its secrets are files, of its own service and of its role."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from crm_delivery import render
from crm_delivery.objects import JOBS, RUNNING, Workload, of_kind, read, workloads
from crm_delivery.secrets import new_secrets
from crm_delivery.topology import manifests, topology
from crm_kit.db.provision_command import databases_of
from crm_kit.environment import probably_meant
from crm_kit.settings import ServiceSettings, SettingsError
from crm_testkit.certificates import Authority

MANIFESTS = {manifest.name: manifest for manifest in manifests()}
KAFKA = "--set", "eventLog=kafka,kafka.bootstrapServers=k:9093,kafka.caSecret.name=ca,kafka.caSecret.key=tls.crt"
FALLBACK = "of-the-rotation-before-this-one-0123456789"
OTHERS = {
    "scram on a Kafka of one's own": (*KAFKA, "--set", "kafka.securityProtocol=SASL_SSL,kafka.usernames.contacts=shop"),
    "certificates on a Kafka of one's own": (*KAFKA, "--set", "kafka.securityProtocol=SSL,kafka.clientCertificates=true"),
    "TLS alone": (*KAFKA, "--set", "kafka.securityProtocol=SSL"),
    "certificates by Strimzi": ("--set", "strimzi.enabled=true,strimzi.authentication=tls"),
    "mail without a password": ("--set", "smtp.host=mail,smtp.from=crm@example.com"),
    "keys that are rotated": ("--set", "rotation.secret=true,rotation.adminKey=true,eventLog=embedded"),
    "a pooler": ("--set", "database.pooler.host=pgbouncer,database.host=primary,eventLog=embedded"),
    "secrets under another name": ("--set", "secrets.prefix=crm,eventLog=embedded"),
}  # fmt: skip


def rendered(name: str) -> list[Mapping[str, Any]]:
    if name in render.EXAMPLES:
        return read((render.FOLDER / f"{name}.yaml").read_text())
    try:
        return read(render.render(render.find_helm(), *OTHERS[name]))
    except render.HelmMissing as missing:
        pytest.skip(str(missing))


def secrets(folder: Path) -> dict[str, dict[str, str]]:
    """As somebody makes them: ourselves, whoever brings Kafka, the operators."""
    authority = Authority(folder)
    issued, ca = authority.issue("user"), authority.file.read_text()
    made = new_secrets(topology()["services"]) | new_secrets(topology()["services"], "crm")
    for each in made.values():
        each |= {f"{key}-fallbacks": FALLBACK for key in ("secret", "admin-key") if key in each}
    users = {"password": "of-kafka", "user.crt": issued.certificate.read_text(), "user.key": issued.key.read_text()}
    made |= {f"relata-{service}-kafka": users for service in MANIFESTS}
    made |= {"ca": {"tls.crt": ca}, "relata-cluster-ca-cert": {"ca.crt": ca}, "relata-postgresql-ca": {"ca.crt": ca}}
    return made | {
        "relata-smtp": {"password": "of-mail"},
        "postgresql": {"postgres-password": "of-postgres"},
        "relata-postgresql-superuser": {"password": "of-postgres"},
    }


def environment_in(folder: Path, each: Workload, made: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Its environment, with its files in `folder`."""
    for file in each.secret_files:
        path = folder / file.path.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(made[file.secret][file.key])
    return {name: value.replace("/etc/relata/", f"{folder}/etc/relata/") for name, value in each.environment.items()}


def settings_of(environment: Mapping[str, str], service: str) -> ServiceSettings:
    return MANIFESTS[service].settings.load(service, environment)


@pytest.mark.parametrize("name", [*render.EXAMPLES, *OTHERS])
def test_every_process_takes_its_settings_and_knows_each_of_them(tmp_path: Path, name: str) -> None:
    made = secrets(tmp_path / "authority")
    for each in workloads(rendered(name)):
        environment = environment_in(tmp_path / each.name, each, made)
        settings = settings_of(environment, each.service)
        own = made[next(file.secret for file in each.secret_files if file.key == "app-password")]
        assert f"{each.service}_app:{own['app-password']}@" in settings.database_url
        assert settings.secret == own["secret"]
        assert settings.secret_fallbacks == (FALLBACK if name == "keys that are rotated" else "")
        assert probably_meant(MANIFESTS[each.service].settings, each.service, environment) == {}
        files = {path for path in environment.values() if path.startswith(f"{tmp_path}/")}
        assert files == {f"{tmp_path}/{each.name}{file.path}" for file in each.secret_files}, (
            "all that is mounted is read"
        )
        if each.role in JOBS:
            assert settings.kafka_security_protocol == "PLAINTEXT", "a job has no business at the event log"
            assert settings.owner_database_url is not None


def test_requests_alone_go_through_the_pooler(tmp_path: Path) -> None:
    made = secrets(tmp_path / "authority")
    for each in workloads(rendered("a pooler")):
        settings = settings_of(environment_in(tmp_path / each.name, each, made), each.service)
        through = "primary:5432" if each.role in JOBS else "pgbouncer:6432"
        assert settings.database_url.endswith(f"@{through}/{each.service}")
        assert settings.lends_by_transaction == (each.role not in JOBS)
        assert settings.system_database_url.endswith(f"@primary:5432/{each.service}")


def test_a_secret_that_is_not_there_is_found(tmp_path: Path) -> None:
    each = next(workloads(rendered("production")))
    environment = environment_in(tmp_path, each, secrets(tmp_path / "authority"))
    Path(environment["SECRET_FILE"]).unlink()
    with pytest.raises(SettingsError, match="SECRET_FILE"):
        settings_of(environment, each.service)


@pytest.mark.parametrize(
    ("name", "protocol"),
    [
        ("production", "SASL_SSL"),
        ("default", "PLAINTEXT"),
        ("scram on a Kafka of one's own", "SASL_SSL"),
        ("certificates on a Kafka of one's own", "SSL"),
        ("certificates by Strimzi", "SSL"),
    ],
)
def test_services_sign_in_to_kafka_each_as_itself(tmp_path: Path, name: str, protocol: str) -> None:
    made = secrets(tmp_path / "authority")
    objects = rendered(name)
    users = {each["metadata"]["name"]: each["spec"]["authentication"]["type"] for each in of_kind(objects, "KafkaUser")}
    for each in workloads(objects):
        if each.role in JOBS:
            continue
        access = settings_of(environment_in(tmp_path / each.name, each, made), each.service).kafka_access()
        assert access.protocol == protocol
        assert access.encrypted == (access.ca_file is not None)
        proven = "scram-sha-512" if access.by_password else "tls"
        assert access.by_password == (access.password_file is not None) == protocol.startswith("SASL_")
        assert (access.certificate_file is not None) == (protocol == "SSL")
        if users:
            assert users[f"relata-{each.service}-kafka"] == proven
        if access.by_password:
            given = "shop" if name.startswith("scram on") and each.service == "contacts" else ""
            assert access.username == (given or f"relata-{each.service}-kafka")


def test_members_of_kafkas_groups_have_names_that_survive_them() -> None:
    for name, kind in (("production", "StatefulSet"), ("default", "Deployment")):
        for each in of_kind(rendered(name), *RUNNING):
            role = each["metadata"]["labels"]["relata/role"]
            (container,) = each["spec"]["template"]["spec"]["containers"]
            assert (each["kind"] == "StatefulSet") == (role == "consume" and kind == "StatefulSet")
            named = {"name": "KAFKA_GROUP_INSTANCE_ID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}}
            assert (named in container["env"]) == (each["kind"] == "StatefulSet")


@pytest.mark.parametrize("name", render.EXAMPLES)
def test_no_secret_is_in_an_environment(name: str) -> None:
    for each in workloads(rendered(name)):
        for one in each.container["env"]:
            assert "secretKeyRef" not in one.get("valueFrom", {}), one["name"]
            assert ":" not in one.get("value", "").partition("//")[2].partition("@")[0] or "@" not in one["value"]
        for file in each.secret_files:
            assert file.mode == 0o440, f"{each.name}: {file.path}"


@pytest.mark.parametrize("name", render.EXAMPLES)
def test_a_process_reads_secrets_of_its_own_service_and_role_only(name: str) -> None:
    operators = {"relata-postgresql-ca", "relata-cluster-ca-cert"}
    for each in workloads(rendered(name)):
        read_ones = {file.secret for file in each.secret_files} - operators - {"relata-verification"}
        wanted = {f"relata-{each.service}"}
        if each.role in JOBS:
            wanted |= {f"relata-{each.service}-owner"}
        if each.role == "provision":
            wanted |= {"postgresql" if name == "minimal" else "relata-postgresql-superuser"}
        if name == "minimal":
            wanted |= {"relata-event-log"}
        if name == "production" and each.role not in JOBS:
            wanted |= {f"relata-{each.service}-kafka", *(("relata-smtp",) if each.service == "campaigns" else ())}
        assert read_ones == wanted, each.name


def test_databases_are_made_as_the_settings_name_them(tmp_path: Path) -> None:
    made = secrets(tmp_path / "authority")
    for each in workloads(rendered("minimal")):
        if each.role == "provision":
            settings = settings_of(environment_in(tmp_path / each.name, each, made), each.service)
            names = [database.name for database in databases_of(each.service, settings)]
            assert names == [each.service, "event_log"]
