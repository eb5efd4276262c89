"""The Pod Security Standard "restricted" (kubernetes.io/docs/concepts/security/pod-security-standards, v1.37), for Linux.

It names every field that the text names, those of the profile "baseline" among them, which "restricted" includes. What the
text relaxes for pods with user namespaces of their own (`hostUsers: false`) is not relaxed here.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Final

Object = Mapping[str, Any]

_CONTAINERS: Final = ("containers", "initContainers", "ephemeralContainers")
_VOLUMES: Final = frozenset(
    ("configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret")
)
_SYSCTLS: Final = frozenset(
    (
        "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_unprivileged_port_start",
        "net.ipv4.tcp_syncookies", "net.ipv4.ping_group_range", "net.ipv4.ip_local_reserved_ports",
        "net.ipv4.tcp_keepalive_time", "net.ipv4.tcp_fin_timeout", "net.ipv4.tcp_keepalive_intvl",
        "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem",
        "net.ipv4.tcp_slow_start_after_idle", "net.ipv4.tcp_notsent_lowat",
    )
)  # fmt: skip
_SELINUX: Final = frozenset(("", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"))
_APPARMOR: Final = "container.apparmor.security.beta.kubernetes.io/"
_HANDLERS: Final = (
    ("livenessProbe",), ("readinessProbe",), ("startupProbe",), ("lifecycle", "postStart"), ("lifecycle", "preStop"),
)  # fmt: skip


def pod_faults(pod: Object) -> list[str]:
    """What a pod, or a pod's template, does against the profile; nothing where it keeps to it."""
    spec = pod.get("spec") or {}
    containers = [(f"{kind}[{i}]", each) for kind in _CONTAINERS for i, each in enumerate(spec.get(kind) or ())]
    contexts = [("spec", spec.get("securityContext") or {})]
    contexts += [(name, each.get("securityContext") or {}) for name, each in containers]
    found = [*_of_the_host(spec), *_of_annotations(pod.get("metadata") or {})]
    for name, container in containers:
        found += _of_container(name, container)
    for name, context in contexts:
        found += _of_context(name, context)
    return [*found, *_said_somewhere(contexts[0][1], contexts[1:])]


def _of_the_host(spec: Object) -> Iterator[str]:
    for field in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(field):
            yield f"spec.{field} is set"
    for volume in spec.get("volumes") or ():
        if kinds := sorted(set(volume) - {"name"} - _VOLUMES):
            yield f"volume {volume.get('name')} is of {', '.join(kinds)}"
    for sysctl in (spec.get("securityContext") or {}).get("sysctls") or ():
        if sysctl.get("name") not in _SYSCTLS:
            yield f"sysctl {sysctl.get('name')} is not a safe one"


def _of_annotations(metadata: Object) -> Iterator[str]:
    for name, value in (metadata.get("annotations") or {}).items():
        if name.startswith(_APPARMOR) and value not in ("", "runtime/default") and not value.startswith("localhost/"):
            yield f"{name} is {value}"


def _of_container(name: str, container: Object) -> Iterator[str]:
    context = container.get("securityContext") or {}
    if context.get("privileged"):
        yield f"{name} is privileged"
    if context.get("allowPrivilegeEscalation") is not False:
        yield f"{name} does not set allowPrivilegeEscalation to false"
    if context.get("procMount", "Default") not in ("", "Default"):
        yield f"{name}.procMount is {context['procMount']}"
    capabilities = context.get("capabilities") or {}
    if "ALL" not in (capabilities.get("drop") or ()):
        yield f"{name} does not drop ALL capabilities"
    if added := sorted(set(capabilities.get("add") or ()) - {"NET_BIND_SERVICE"}):
        yield f"{name} adds the capabilities {', '.join(added)}"
    yield from _of_addresses(name, container)


def _of_addresses(name: str, container: Object) -> Iterator[str]:
    if any(port.get("hostPort") for port in container.get("ports") or ()):
        yield f"{name} has a hostPort"
    for path in _HANDLERS:
        handler: Object = container
        for part in path:
            handler = handler.get(part) or {}
        for kind in ("httpGet", "tcpSocket"):
            if (handler.get(kind) or {}).get("host"):
                yield f"{name}.{'.'.join(path)}.{kind}.host is set"


def _of_context(name: str, context: Object) -> Iterator[str]:
    if (context.get("windowsOptions") or {}).get("hostProcess"):
        yield f"{name} is a Windows HostProcess"
    selinux = context.get("seLinuxOptions") or {}
    if selinux.get("type", "") not in _SELINUX or selinux.get("user") or selinux.get("role"):
        yield f"{name}.seLinuxOptions is {selinux}"
    if (context.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield f"{name}.appArmorProfile is {context['appArmorProfile']}"
    if "seccompProfile" in context and not _confined(context):
        yield f"{name}.seccompProfile is {context['seccompProfile']}"
    if context.get("runAsNonRoot") is False:
        yield f"{name}.runAsNonRoot is false"
    if context.get("runAsUser") == 0:
        yield f"{name}.runAsUser is 0"


def _said_somewhere(pod: Object, containers: list[tuple[str, Object]]) -> Iterator[str]:
    """What the pod says for all containers, or else each of them for itself."""
    for name, context in containers:
        if not pod.get("runAsNonRoot") and context.get("runAsNonRoot") is not True:
            yield f"{name} may run as root: neither it nor the pod sets runAsNonRoot"
        if not _confined(pod) and not _confined(context):
            yield f"{name} has no seccompProfile, nor has the pod"


def _confined(context: Object) -> bool:
    return (context.get("seccompProfile") or {}).get("type") in ("RuntimeDefault", "Localhost")
