"""One server, for the length of a block, and its client."""

import secrets
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import httpx
from crm_local.ports import find_free_ports
from crm_testkit.certificates import Authority

from crm_delivery.api_server.programs import find_api_server, find_etcd
from crm_delivery.objects import Object

_READY_SECONDS: Final = 120.0


class Refused(Exception):
    """What the server says against an object."""


class ApiServer:
    """Asks as an administrator. Objects of a namespace are put where their metadata say."""

    def __init__(self, client: httpx.Client) -> None:
        self.client = client
        self._resources: dict[tuple[str, str], Mapping[str, Any]] = {}

    def apply(self, each: Object, *, dry_run: bool = False) -> Object:
        """By the server, strictly, as `kubectl apply --server-side --validate=strict`. Raises Refused."""
        asked = {"fieldManager": "relata", "fieldValidation": "Strict", **({"dryRun": "All"} if dry_run else {})}
        headers = {"Content-Type": "application/apply-patch+yaml"}
        answer = self.client.patch(self._address(each), json=each, params=asked, headers=headers)
        said: Object = answer.json()
        if answer.is_error:
            raise Refused(f"{each['kind']} {each['metadata']['name']}: {said['message']}")
        if warned := answer.headers.get("Warning"):
            raise Refused(f"{each['kind']} {each['metadata']['name']}: warned: {warned}")
        return said

    def define(self, definition: Object) -> None:
        """A CustomResourceDefinition, and what it defines is served. Raises Refused."""
        self.apply(definition)
        group, kind = definition["spec"]["group"], definition["spec"]["names"]["kind"]
        for version in definition["spec"]["versions"]:
            if version["served"]:
                _until(partial(self._looked_up, f"{group}/{version['name']}", kind))

    def _address(self, each: Object) -> str:
        version = each["apiVersion"]
        resource = self._looked_up(version, each["kind"])
        if resource is None:
            raise Refused(f"{version} has no {each['kind']}")
        namespace = f"/namespaces/{each['metadata']['namespace']}" if resource["namespaced"] else ""
        return f"{_root(version)}{namespace}/{resource['name']}/{each['metadata']['name']}"

    def _looked_up(self, version: str, kind: str) -> Mapping[str, Any] | None:
        if (version, kind) not in self._resources:
            answer = self.client.get(_root(version))
            for one in answer.json().get("resources", ()) if answer.is_success else ():
                if "/" not in one["name"]:
                    self._resources[version, one["kind"]] = one
        return self._resources.get((version, kind))


def _root(version: str) -> str:
    return f"/apis/{version}" if "/" in version else f"/api/{version}"


@contextmanager
def running() -> Iterator[ApiServer]:
    """On ports of the loopback, with the admission that is on by default. Raises NotToBeHad."""
    server, etcd = find_api_server(), find_etcd()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="relata-")))
        token = secrets.token_urlsafe(32)
        (folder / "tokens").write_text(f"{token},administrator,1,system:masters\n")
        (folder / "tokens").chmod(0o600)
        authority = Authority(folder / "authority")
        ours, signing = authority.issue("server"), authority.issue("signing")
        client_port, peer_port, port = find_free_ports(3)
        client, peer = f"http://127.0.0.1:{client_port}", f"http://127.0.0.1:{peer_port}"
        _start(stack, folder / "etcd.log", [
            etcd, f"--data-dir={folder / 'etcd'}", f"--listen-client-urls={client}", f"--advertise-client-urls={client}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}", f"--initial-cluster=default={peer}",
        ])  # fmt: skip
        started = _start(stack, folder / "server.log", [
            server, f"--etcd-servers={client}", "--bind-address=127.0.0.1", f"--secure-port={port}",
            "--endpoint-reconciler-type=none", "--service-cluster-ip-range=10.0.0.0/24", f"--cert-dir={folder / 'certs'}",
            f"--tls-cert-file={ours.certificate}", f"--tls-private-key-file={ours.key}",
            f"--token-auth-file={folder / 'tokens'}", "--authorization-mode=RBAC",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={signing.certificate}", f"--service-account-signing-key-file={signing.key}",
        ])  # fmt: skip
        trusted = ssl.create_default_context(cafile=str(authority.file))
        asking = stack.enter_context(
            httpx.Client(
                base_url=f"https://127.0.0.1:{port}",
                verify=trusted,
                headers={"Authorization": f"Bearer {token}"},
                timeout=30,
            )
        )
        _until(lambda: _is_ready(asking), started)
        yield ApiServer(asking)


@dataclass(frozen=True, slots=True)
class _Started:
    process: "subprocess.Popen[bytes]"
    log: Path

    def has_ended(self) -> bool:
        return self.process.poll() is not None

    def last_words(self) -> str:
        return self.log.read_text(errors="replace")[-1000:]


def _start(stack: ExitStack, log: Path, command: list[str]) -> _Started:
    """Until the stack ends."""
    process = subprocess.Popen(command, stdout=stack.enter_context(log.open("wb")), stderr=subprocess.STDOUT)
    stack.callback(process.wait)
    stack.callback(process.terminate)
    return _Started(process, log)


def _is_ready(client: httpx.Client) -> bool:
    try:
        return client.get("/readyz").is_success
    except httpx.TransportError:
        return False


def _until(done: Callable[[], object], started: _Started | None = None) -> None:
    """Raises TimeoutError; with the end of its log where a process has ended or answers too late."""
    deadline = time.monotonic() + _READY_SECONDS
    while not done():
        if time.monotonic() > deadline or (started is not None and started.has_ended()):
            raise TimeoutError("" if started is None else started.last_words())
        time.sleep(0.1)
