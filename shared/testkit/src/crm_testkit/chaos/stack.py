"""A whole stack whose every connection is a link: clients to gateway, gateway to services, processes to PostgreSQL.

And whose every process but PostgreSQL has a clock of its own, where the machine allows it.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Self

import asyncpg
from crm_kit.bus import EventLog, KafkaAccess, open_event_log
from crm_local.configuration import PROCESSES, Configuration
from crm_local.credentials import Credentials
from crm_local.stack import LocalStack

from crm_testkit.chaos.clocks import Clocks, can_move_clocks
from crm_testkit.chaos.links import Link, socket_of, through
from crm_testkit.whole_stack import new_tenant

_DATABASE = "postgres"
_CLIENTS = "clients"

DATABASE_FAULTS = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError)
"""What a connection raises whose server is killed: asyncpg's own state machine may be the first to notice."""


class ChaosStack(LocalStack):
    """Durable, unlike the stack of other tests: a kill of PostgreSQL must lose nothing."""

    def __init__(
        self,
        configuration: Configuration,
        environment: Mapping[str, str],
        *,
        replication_factor: int = 1,
        **more: object,
    ) -> None:
        environment = {**environment, "KAFKA_REPLICATION_FACTOR": str(replication_factor)}
        self.replication_factor = replication_factor
        super().__init__(configuration, environment=environment, **more)  # type: ignore[arg-type]  # passed on as given
        self._socket_folder = self.folder.path / "link"
        self.clocks: Clocks | None = None
        self.links: dict[str, Link] = {
            _CLIENTS: Link(self.ports["gateway"]),
            **{name: Link(self.ports[name]) for name in PROCESSES if name != "gateway"},
        }

    @property
    def public_url(self) -> str:
        """Where clients connect: the link before the gateway."""
        return f"http://127.0.0.1:{self.links[_CLIENTS].port}"

    async def __aenter__(self) -> Self:
        for link in self.links.values():
            await link.start()
        try:
            return await super().__aenter__()
        except BaseException:
            await self._stop_links()
            raise

    async def __aexit__(self, *failure: object) -> None:
        await super().__aexit__(*failure)
        await self._stop_links()

    async def _stop_links(self) -> None:
        for link in self.links.values():
            await link.stop()

    async def new_tenant(self) -> tuple[str, str]:
        """Its id, and a key that may read and write all of it."""
        return await new_tenant(self, "Chaos")

    def event_log(self) -> EventLog:
        """The stack's event log, past all links. Start and close it."""
        return open_event_log(_Direct(self))

    def _environment_of(self, name: str, credentials: Credentials, server_url: str) -> dict[str, str]:
        environment = super()._environment_of(name, credentials, server_url)
        if self.clocks is not None:
            environment |= self.clocks.environment_of(name)
        for variable, value in environment.items():
            if value.startswith("postgresql://"):
                environment[variable] = through(value, self._database_link().parent)
        if name == "gateway":
            for other in PROCESSES:
                if other != name:
                    environment[f"{other.upper()}_URL"] = f"http://127.0.0.1:{self.links[other].port}"
        return environment

    def _database_link(self) -> Path:
        return self._socket_folder / socket_of(self.server_url).name

    async def _open_database(self, credentials: Credentials) -> None:
        """PostgreSQL, and the link before it, which the services connect to."""
        await super()._open_database(credentials)
        if can_move_clocks():
            self.clocks = Clocks(self.folder.path / "clocks", PROCESSES)
        self._socket_folder.mkdir(mode=0o700, exist_ok=True)
        self._database_link().unlink(missing_ok=True)
        self.links[_DATABASE] = Link(socket_of(self.server_url), self._database_link())
        await self.links[_DATABASE].start()


class _Direct:
    """The event log's settings."""

    def __init__(self, stack: ChaosStack) -> None:
        assert stack._credentials is not None, "the stack is started"
        self.bus = stack.configuration.bus
        self.event_log_url = stack._credentials.event_log.url(stack.server_url)
        self.kafka_bootstrap_servers = stack.configuration.kafka or None
        self.kafka_replication_factor = stack.replication_factor
        self.kafka_create_topics = True
        self.kafka_group_instance_id = None

    def kafka_access(self) -> KafkaAccess:
        return KafkaAccess()
