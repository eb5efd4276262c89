"""A network namespace for each pod, on one bridge, with the NetworkPolicies as rules of nftables on both ends."""

import ctypes
import os
import socket
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from crm_delivery.reach import Peer, is_open

_CLONE_NEWNET: Final = 0x40000000
_CLUSTER: Final = "10.77.0"
_INTERNET: Final = "203.0.113"
"""TEST-NET-3 (RFC 5737): no network is there, and to the policies it is the Internet."""
PORTS: Final = (53, 443, 587, 5432, 8000, 8443, 9092)


@dataclass(frozen=True, slots=True)
class End:
    """One end of connections: a pod, or somebody beside. `peer` is what the policies see of it."""

    peer: Peer
    namespace: str
    address: str


class Network:
    """Until `close`; addresses are given in the order of `add`."""

    def __init__(self) -> None:
        self._prefix = f"relata{os.getpid()}"
        self._bridge = f"{self._prefix}-bridge"
        self.ends: dict[str, End] = {}
        _ip("netns", "add", self._bridge)
        _ip("-n", self._bridge, "link", "add", "br0", "type", "bridge")
        _ip("-n", self._bridge, "link", "set", "br0", "up")

    def add(self, name: str, labels: Mapping[str, str], namespace: str = "relata", *, outside: bool = False) -> End:
        """A namespace with one address. `outside`: a host of the Internet."""
        number = len(self.ends) + 2
        address = f"{_INTERNET if outside else _CLUSTER}.{number}"
        peer = Peer(name, namespace, dict(labels), address if outside else None)
        end = End(peer, f"{self._prefix}-{number}", address)
        _ip("netns", "add", end.namespace)
        _ip(
            "-n",
            self._bridge,
            "link",
            "add",
            f"v{number}",
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            end.namespace,
        )
        _ip("-n", self._bridge, "link", "set", f"v{number}", "master", "br0", "up")
        _ip("-n", end.namespace, "address", "add", f"{address}/24", "dev", "eth0")
        for device in ("lo", "eth0"):
            _ip("-n", end.namespace, "link", "set", device, "up")
        _ip("-n", end.namespace, "route", "add", f"{_CLUSTER if outside else _INTERNET}.0/24", "dev", "eth0")
        self.ends[name] = end
        return end

    def enforce(self, policies: Iterable[Mapping[str, Any]], names: Iterable[str]) -> None:
        """From now on these ends are reached, and reach, as the policies say."""
        policies = tuple(policies)
        for name in names:
            end = self.ends[name]
            rules = "\n".join(self._rules(policies, end))
            _run(["ip", "netns", "exec", end.namespace, "nft", "-f", "-"], rules)

    def _rules(self, policies: tuple[Mapping[str, Any], ...], end: End) -> Iterable[str]:
        yield "table inet pod {"
        for chain, side in (("input", "saddr"), ("output", "daddr")):
            yield f"chain {chain} {{ type filter hook {chain} priority 0; policy drop;"
            yield "ct state established,related accept"
            yield f"{'iif' if chain == 'input' else 'oif'} lo accept"
            for other in self.ends.values():
                pair = (other.peer, end.peer) if chain == "input" else (end.peer, other.peer)
                for port in PORTS if other is not end else ():
                    if is_open(policies, *pair, port):
                        yield f"ip {side} {other.address} tcp dport {port} accept"
            yield "}"
        yield "}"

    def connect(self, source: str, target: str, port: int, seconds: float = 1.0) -> socket.socket:
        """A connection out of one end's namespace to another's address. Raises OSError."""
        made: list[socket.socket | OSError] = []
        namespace = Path("/run/netns") / self.ends[source].namespace

        def inside() -> None:
            # The thread alone changes its namespace; a socket stays in the one that it was made in.
            with namespace.open("rb") as file:
                if ctypes.CDLL(None, use_errno=True).setns(file.fileno(), _CLONE_NEWNET) != 0:
                    made.append(OSError(ctypes.get_errno(), "setns"))
                    return
            try:
                made.append(socket.create_connection((self.ends[target].address, port), timeout=seconds))
            except OSError as error:
                made.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        (found,) = made
        if isinstance(found, OSError):
            raise found
        return found

    def hosts(self) -> str:
        """/etc/hosts of a pod. Of a Service the only pod is its address."""
        lines = ["127.0.0.1 localhost"]
        for name, end in self.ends.items():
            names = [name]
            service, _, role = name.rpartition("-")
            if role in ("api", "all"):
                names.append(f"relata-{service}")
            lines.append(f"{end.address} {' '.join(names)}")
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        for namespace in (*(end.namespace for end in self.ends.values()), self._bridge):
            subprocess.run(["ip", "netns", "delete", namespace], check=False, capture_output=True)


def _ip(*arguments: str) -> None:
    _run(["ip", *arguments])


def _run(command: Sequence[str], given: str | None = None) -> None:
    subprocess.run(command, input=given, text=True, check=True, capture_output=True)
