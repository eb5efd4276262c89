"""One pod's only container, as its template says: user, capabilities, tree, files, memory, settings."""

import re
import shlex
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from crm_delivery.confined.images import LOADER, Image, mounted
from crm_delivery.confined.network import End
from crm_delivery.objects import Workload

Secrets = Mapping[str, Mapping[str, str]]
"""Values by the name of a Secret and its key."""

_UNITS: Final = {"Ki": 2**10, "Mi": 2**20, "Gi": 2**30}
_CGROUPS: Final = Path("/sys/fs/cgroup/memory")
_REFERENCE: Final = re.compile(r"\$\((\w+)\)")


def bytes_of(quantity: str) -> int:
    """Of a quantity such as 512Mi. Raises KeyError for a unit that the chart does not use."""
    return int(quantity[:-2]) * _UNITS[quantity[-2:]]


def environment_of(workload: Workload, secrets: Secrets) -> dict[str, str]:
    """As the kubelet makes it: in order, `$(NAME)` being what was set before."""
    made: dict[str, str] = {}
    for each in workload.container.get("env") or ():
        if "value" in each:
            made[each["name"]] = _REFERENCE.sub(lambda match: made.get(match[1], match[0]), str(each["value"]))
        else:
            reference = each["valueFrom"]["secretKeyRef"]
            keys = secrets[reference["name"]]
            if reference["key"] in keys or not reference.get("optional"):
                made[each["name"]] = keys[reference["key"]]
    return made


class Pod:
    """`folder` is its own: what it mounts, and its log."""

    def __init__(self, workload: Workload, image: Image, end: End, folder: Path) -> None:
        self.workload = workload
        self.log = folder / "log"
        self._image = image
        self._end = end
        self._folder = folder
        self._cgroup = _CGROUPS / f"relata-{end.namespace}"
        self._process: subprocess.Popen[bytes] | None = None
        self.code: int | None = None
        """How it ended, once it was stopped."""

    def start(self, secrets: Secrets, hosts: str) -> None:
        """Raises OSError where the machine does not allow it."""
        files, merged = self._folder / "files", self._folder / "merged"
        for path in (files, merged):
            path.mkdir(parents=True)
        self._write_volumes(files, secrets)
        (files / "etc").mkdir(exist_ok=True)
        (files / "etc" / "hosts").write_text(hosts)
        self._limit_memory()
        tmp = next(volume["emptyDir"] for volume in self._spec["volumes"] if volume["name"] == "tmp")
        size = bytes_of(tmp["sizeLimit"])
        script = "\n".join(
            (
                mounted([files, self._image.layer], merged),
                f"mount -t tmpfs -o size={size},mode=1777 tmpfs {merged}/tmp",
                # Of the machine's own files these would be nothing of an image.
                *(f"mount -t tmpfs -o ro tmpfs {merged}{path}" for path in ("/root", "/home") if Path(path).is_dir()),
                f"cd {merged}",
                f"exec chroot {merged} {shlex.join(self._command())}",
            )
        )
        environment = {**LOADER, **self._image.environment, **environment_of(self.workload, secrets)}
        isolated = "unshare --mount --pid --fork --kill-child --propagation private"
        joined = (
            f"echo $$ > {self._cgroup}/cgroup.procs; "
            f'exec ip netns exec {self._end.namespace} {isolated} /bin/sh -c "$SCRIPT"'
        )
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                ["/bin/sh", "-c", joined],
                env={**environment, "PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "SCRIPT": script},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _command(self) -> list[str]:
        """Drops what the security context drops, then the container's command, with the image's PATH."""
        context = {**(self._spec.get("securityContext") or {}), **self.workload.container["securityContext"]}
        dropped = ["--bounding-set=-all", "--inh-caps=-all"] if context["capabilities"]["drop"] == ["ALL"] else []
        privileges = [] if context["allowPrivilegeEscalation"] else ["--no-new-privs"]
        user, group = str(context["runAsUser"]), str(context["runAsGroup"])
        command = [*self.workload.container["command"], *self.workload.container.get("args", ())]
        return [
            "/usr/bin/setpriv", f"--reuid={user}", f"--regid={group}", "--clear-groups", *dropped, *privileges,
            "/usr/bin/env", "-u", "SCRIPT", f"PATH={self._image.environment['PATH']}", *command,
        ]  # fmt: skip

    @property
    def _spec(self) -> Mapping[str, Any]:
        spec: Mapping[str, Any] = self.workload.template["spec"]
        return spec

    def _write_volumes(self, files: Path, secrets: Secrets) -> None:
        places = {mount["name"]: mount["mountPath"] for mount in self.workload.container["volumeMounts"]}
        for volume in self._spec["volumes"]:
            sources = (
                [{"secret": volume["secret"]}] if "secret" in volume else volume.get("projected", {}).get("sources", ())
            )
            for source in sources:
                named = source["secret"]
                values = secrets[named.get("secretName") or named["name"]]
                items = named.get("items") or [{"key": key, "path": key} for key in values]
                for item in items:
                    path = files / places[volume["name"]].lstrip("/") / item["path"]
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_text(values[item["key"]])
                    path.chmod(0o440)
                    subprocess.run(["chgrp", str(self._spec["securityContext"]["fsGroup"]), path], check=True)

    def _limit_memory(self) -> None:
        self._cgroup.mkdir(exist_ok=True)
        limit = bytes_of(self.workload.container["resources"]["limits"]["memory"])
        (self._cgroup / "memory.limit_in_bytes").write_text(str(limit))

    def peak_memory(self) -> int:
        """Bytes that it has had at most, with what the kernel caches for it."""
        return int((self._cgroup / "memory.max_usage_in_bytes").read_text())

    def resident_memory(self) -> int:
        """Bytes that it has now, without caches."""
        told = dict(line.split() for line in (self._cgroup / "memory.stat").read_text().splitlines())
        return int(told["total_rss"])

    def memory_limit(self) -> int:
        """Bytes beyond which the kernel ends it."""
        return int((self._cgroup / "memory.limit_in_bytes").read_text())

    def wait(self, seconds: float) -> int:
        """Its code, of what ends by itself."""
        assert self._process is not None
        return self._process.wait(seconds)

    def ended(self) -> int | None:
        """Its code, if it has ended."""
        return None if self._process is None else self._process.poll()

    def stop(self) -> None:
        """SIGTERM to the container's process, SIGKILL after its grace; its cgroup goes too."""
        if self._process is None:
            return
        for pid in self.members():
            if pid != self._process.pid:
                subprocess.run(["kill", "-TERM", str(pid)], check=False, capture_output=True)
        try:
            self._process.wait(float(self._spec["terminationGracePeriodSeconds"]))
        except subprocess.TimeoutExpired:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait()
        self.code, self._process = self._process.returncode, None
        if self._cgroup.exists():
            self._cgroup.rmdir()

    def members(self) -> list[int]:
        """Its processes' ids, as this machine knows them."""
        return [int(pid) for pid in (self._cgroup / "cgroup.procs").read_text().split()]
