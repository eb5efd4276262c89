"""What the environment says about the stack."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from crm_local.errors import StackError

# In the order of their ports, from PORT_BASE on; the value is the module that `python -m` runs.
MODULES = {
    "gateway": "gateway",
    "contacts": "contacts_svc",
    "pipeline": "pipeline_svc",
    "tickets": "tickets_svc",
    "campaigns": "campaigns_svc",
}
PROCESSES = tuple(MODULES)

Bus = Literal["embedded", "kafka"]


@dataclass(frozen=True, slots=True)
class Configuration:
    """`port_base` None means: any free ports. `kafka` is `host:port[,host:port]`, needed with bus `kafka`."""

    run_dir: Path
    port_base: int | None = None
    bus: Bus = "embedded"
    kafka: str = ""

    def __post_init__(self) -> None:
        if self.port_base is not None and not 1 <= self.port_base <= 65535 - len(PROCESSES) + 1:
            raise StackError(f"PORT_BASE is {self.port_base} but must lie between 1 and 65531")
        if self.bus not in ("embedded", "kafka"):
            raise StackError(f"BUS is {self.bus!r} but must be 'embedded' or 'kafka'")
        if self.bus == "kafka" and not self.brokers:
            raise StackError("BUS=kafka needs KAFKA_BOOTSTRAP_SERVERS, for example localhost:9092")

    @property
    def brokers(self) -> tuple[tuple[str, int], ...]:
        """Host and port of each bootstrap server."""
        found = []
        for server in filter(None, (part.strip() for part in self.kafka.split(","))):
            host, _, port = server.rpartition(":")
            if not host or not port.isdecimal() or not 1 <= int(port) <= 65535:
                raise StackError(f"KAFKA_BOOTSTRAP_SERVERS holds {server!r}, which is not host:port")
            found.append((host.strip("[]"), int(port)))
        return tuple(found)


def read_configuration(environment: Mapping[str, str]) -> Configuration:
    """PORT_BASE, RUN_DIR, BUS and KAFKA_BOOTSTRAP_SERVERS; raises `StackError`."""
    port_base = environment.get("PORT_BASE") or "8080"
    if not port_base.isdecimal():
        raise StackError(f"PORT_BASE is {port_base!r} but must be a number")
    bus = environment.get("BUS") or "embedded"
    if bus not in ("embedded", "kafka"):
        raise StackError(f"BUS is {bus!r} but must be 'embedded' or 'kafka'")
    return Configuration(
        run_dir=Path(environment.get("RUN_DIR") or ".run").absolute(),
        port_base=int(port_base),
        bus="kafka" if bus == "kafka" else "embedded",
        kafka=environment.get("KAFKA_BOOTSTRAP_SERVERS", ""),
    )
