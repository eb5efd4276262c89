"""TCP ports on the loopback: free ones, and who holds a taken one."""

import asyncio
import errno
import random
import socket
from collections.abc import Iterable, Sequence

import psutil

from crm_local.errors import StackError

HOST = "127.0.0.1"


def find_free_ports(count: int) -> list[int]:
    """Neighbouring ports that are free now, below those that the system gives to outgoing connections.

    (A port of that range could be taken while its process is being started again.)
    """
    for _ in range(100):
        first = random.randrange(10_000, 30_000)  # noqa: S311 not a secret
        ports = list(range(first, first + count))
        try:
            require_free(("any", port) for port in ports)
        except StackError:
            continue
        return ports
    raise StackError(f"no {count} neighbouring free ports were found")


def require_free(ports: Iterable[tuple[str, int]]) -> None:
    """Raises `StackError` for the first (name, port) that cannot be listened on."""
    for name, port in ports:
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, port))
            except OSError as error:
                if error.errno == errno.EACCES:
                    raise StackError(
                        f"port {port} ({name}) needs more rights than yours: set PORT_BASE to 1024 or more"
                    ) from error
                raise StackError(
                    f"port {port} ({name}) is taken by {_holder(port)}: stop it, or set PORT_BASE to another number"
                ) from error


async def require_reachable(brokers: Sequence[tuple[str, int]], seconds: float = 5.0) -> None:
    """Raises `StackError` unless one of them takes a connection within `seconds`."""

    async def connects(host: str, port: int) -> bool:
        try:
            async with asyncio.timeout(seconds):
                _, writer = await asyncio.open_connection(host, port)
        except OSError:  # TimeoutError is one
            return False
        writer.close()
        return True

    if not any(await asyncio.gather(*(connects(*broker) for broker in brokers))):
        names = ", ".join(f"{host}:{port}" for host, port in brokers)
        raise StackError(f"no Kafka answers at {names} (KAFKA_BOOTSTRAP_SERVERS): start it, or leave BUS unset")


def _holder(port: int) -> str:
    try:
        for connection in psutil.net_connections("tcp"):
            if connection.status == psutil.CONN_LISTEN and connection.pid and connection.laddr[1:2] == (port,):
                return f"process {connection.pid} ({psutil.Process(connection.pid).name()})"
    except psutil.Error:  # only root may ask this on some systems
        pass
    return "another process"
