"""A real Kafka broker that asks who one is: SASL/SCRAM over TLS, mutual TLS, and rights for each topic and group."""

import importlib
import json
import os
from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import pytest
from crm_kit.bus import KafkaAccess

from crm_testkit.certificates import Authority
from crm_testkit.kafka_broker import RealKafka, free_ports, node_settings, prepare_node
from crm_testkit.kafka_maven import KafkaUnavailable

_ADMIN: Final = "User:ANONYMOUS"
"""Who comes by the listener in clear, which only the tests know."""


def _admin() -> Any:
    """It costs 20 MB in every test process otherwise, and its types are incomplete."""
    return importlib.import_module("confluent_kafka.admin")


class SecuredKafka:
    """One broker in `folder`. `scram` and `mutual` are the addresses of its two listeners; nobody has a right at first."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder.absolute()
        self.authority = Authority(self._folder / "certificates")
        admin, scram, mutual, controller = (f"127.0.0.1:{port}" for port in free_ports(4))
        self._admin, self.scram, self.mutual = admin, scram, mutual
        try:
            plan = prepare_node(self._folder, self._settings(controller), admin, heap="384m")
        except KafkaUnavailable as missing:
            if os.environ.get("CI") == "true":
                raise
            pytest.skip(str(missing))
        (self._folder / "command.json").write_text(json.dumps(plan))
        self.broker = RealKafka(self._folder)

    def access(self, user: str, password: str, mechanism: str = "SCRAM-SHA-512", **changed: Any) -> KafkaAccess:
        """With a password, by the listener `scram`."""
        settings = {"username": user, "password": password, "mechanism": mechanism, "protocol": "SASL_SSL"}
        return KafkaAccess(**{**settings, "ca_file": str(self.authority.file), **changed})

    def set_password(self, user: str, password: str) -> None:
        """For both mechanisms; the old one is void at once."""
        admin = _admin()
        for mechanism in (admin.ScramMechanism.SCRAM_SHA_256, admin.ScramMechanism.SCRAM_SHA_512):
            change = admin.UserScramCredentialUpsertion(
                user, admin.ScramCredentialInfo(mechanism, 4096), password.encode()
            )
            for done in self._client.alter_user_scram_credentials([change]).values():
                done.result(30)

    def allow(self, user: str, acls: Iterable[Mapping[str, Any]]) -> None:
        """What `python -m <service> topics --acls` prints."""
        admin = _admin()
        operations = {"DescribeConfigs": admin.AclOperation.DESCRIBE_CONFIGS}
        bindings = [
            admin.AclBinding(
                admin.ResourceType[acl["resource"]["type"].upper()],
                acl["resource"]["name"],
                admin.ResourcePatternType[acl["resource"]["patternType"].upper()],
                f"User:{user}",
                acl["host"],
                operations.get(operation) or admin.AclOperation[operation.upper()],
                admin.AclPermissionType.ALLOW,
            )
            for acl in acls
            for operation in acl["operations"]
        ]
        for done in self._client.create_acls(bindings).values():
            done.result(30)

    def create(self, topics: Iterable[Mapping[str, Any]]) -> None:
        """What `python -m <service> topics` prints."""
        admin = _admin()
        made = [
            admin.NewTopic(each["name"], each["partitions"], replication_factor=1, config=each["config"])
            for each in topics
        ]
        for done in self._client.create_topics(made).values():
            done.result(30)

    @cached_property
    def _client(self) -> Any:
        """Kept: what is asked of one that is thrown away ends with it."""
        admin = _admin()
        return admin.AdminClient({"bootstrap.servers": self._admin, "log_level": 0})

    def _settings(self, controller: str) -> dict[str, str]:
        server = self.authority.issue("broker")
        base = node_settings(1, self._admin, controller, f"1@{controller}", replicas=1, in_sync=1)
        names = {"ADMIN": self._admin, "SCRAM": self.scram, "MUTUAL": self.mutual}
        listeners = ",".join(f"{name}://{address}" for name, address in names.items())
        return base | {
            "listeners": f"{listeners},CONTROLLER://{controller}",
            "advertised.listeners": listeners,
            "listener.security.protocol.map": "ADMIN:PLAINTEXT,SCRAM:SASL_SSL,MUTUAL:SSL,CONTROLLER:PLAINTEXT",
            "inter.broker.listener.name": "ADMIN",
            "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
            "super.users": _ADMIN,
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(server.both),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.mutual.ssl.client.auth": "required",
            "ssl.principal.mapping.rules": "RULE:^CN=([^,]+).*$/$1/,DEFAULT",
            "sasl.enabled.mechanisms": "SCRAM-SHA-256,SCRAM-SHA-512",
            **{
                f"listener.name.scram.scram-sha-{bits}.sasl.jaas.config": (
                    "org.apache.kafka.common.security.scram.ScramLoginModule required;"
                )
                for bits in (256, 512)
            },
            # So that a wrong password is answered at once.
            "connection.failed.authentication.delay.ms": "0",
        }
