"""Our check of the profile "restricted" agrees with Kubernetes' own fixtures, and our pods keep to it."""

from collections.abc import Callable
from copy import deepcopy
from typing import Any

import pytest
import yaml
from crm_delivery import render
from crm_delivery.objects import read, workloads
from crm_delivery.pod_security import pod_faults
from crm_delivery.published import POD_SECURITY, NotToBeHad, go_module

VERSION = "v1.37"

Pod = dict[str, Any]


def good() -> Pod:
    return {
        "metadata": {"annotations": {}},
        "spec": {
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [
                {"securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}}
            ],
            "volumes": [{"name": "tmp", "emptyDir": {}}],
        },
    }  # fmt: skip


def context(pod: Pod) -> Pod:
    found: Pod = pod["spec"]["containers"][0]["securityContext"]
    return found


BREACHES: dict[str, Callable[[Pod], Any]] = {
    "hostNetwork": lambda pod: pod["spec"].update(hostNetwork=True),
    "hostPID": lambda pod: pod["spec"].update(hostPID=True),
    "hostIPC": lambda pod: pod["spec"].update(hostIPC=True),
    "hostProcess": lambda pod: context(pod).update(windowsOptions={"hostProcess": True}),
    "privileged": lambda pod: context(pod).update(privileged=True),
    "capability": lambda pod: context(pod)["capabilities"].update(add=["SYS_ADMIN"]),
    "capabilities kept": lambda pod: context(pod).pop("capabilities"),
    "hostPath": lambda pod: pod["spec"]["volumes"].append({"name": "etc", "hostPath": {"path": "/etc"}}),
    "hostPort": lambda pod: pod["spec"]["containers"][0].update(ports=[{"hostPort": 80}]),
    "probe of a host": lambda pod: pod["spec"]["containers"][0].update(livenessProbe={"httpGet": {"host": "10.0.0.1"}}),
    "hook to a host": lambda pod: pod["spec"]["containers"][0].update(
        lifecycle={"preStop": {"tcpSocket": {"host": "10.0.0.1"}}}
    ),
    "AppArmor": lambda pod: context(pod).update(appArmorProfile={"type": "Unconfined"}),
    "AppArmor by annotation": lambda pod: pod["metadata"]["annotations"].update(
        {"container.apparmor.security.beta.kubernetes.io/a": "unconfined"}
    ),
    "SELinux type": lambda pod: context(pod).update(seLinuxOptions={"type": "spc_t"}),
    "SELinux user": lambda pod: context(pod).update(seLinuxOptions={"user": "system_u"}),
    "procMount": lambda pod: context(pod).update(procMount="Unmasked"),
    "sysctl": lambda pod: pod["spec"]["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "escalation": lambda pod: context(pod).pop("allowPrivilegeEscalation"),
    "root allowed": lambda pod: pod["spec"]["securityContext"].pop("runAsNonRoot"),
    "root asked for": lambda pod: context(pod).update(runAsNonRoot=False),
    "user 0": lambda pod: context(pod).update(runAsUser=0),
    "no seccomp": lambda pod: pod["spec"]["securityContext"].pop("seccompProfile"),
    "seccomp undone": lambda pod: context(pod).update(seccompProfile={"type": "Unconfined"}),
    "init container": lambda pod: pod["spec"].update(initContainers=[{"name": "a"}]),
}


def test_a_pod_that_keeps_to_the_profile_has_no_fault() -> None:
    assert pod_faults(good()) == []


@pytest.mark.parametrize("breach", BREACHES)
def test_each_breach_is_found(breach: str) -> None:
    pod = good()
    BREACHES[breach](pod)
    assert pod_faults(pod)


def test_the_check_agrees_with_kubernetes_own_fixtures() -> None:
    try:
        folder = go_module(POD_SECURITY) / "test" / "testdata" / "restricted" / VERSION
    except NotToBeHad as reason:
        pytest.skip(str(reason))
    judged = {
        f"{path.parent.name}/{path.name}": not pod_faults(yaml.safe_load(path.read_text()))
        for path in sorted(folder.glob("*/*.yaml"))
        if path.name != "base_windows.yaml"  # a pod of Windows: other rules
    }
    assert len(judged) > 90
    assert [name for name, passes in judged.items() if passes != name.startswith("pass/")] == []


@pytest.mark.parametrize("name", render.EXAMPLES)
def test_every_pod_keeps_to_the_profile_and_to_more(name: str) -> None:
    made = list(workloads(read((render.FOLDER / f"{name}.yaml").read_text())))
    assert made
    for each in made:
        assert pod_faults(each.template) == [], each.name
        spec, container = each.template["spec"], each.container
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert spec["securityContext"]["runAsUser"] >= 10_000
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert {"memory", "ephemeral-storage"} <= set(container["resources"]["limits"])
        assert {"cpu", "memory", "ephemeral-storage"} <= set(container["resources"]["requests"])
        assert [mount["mountPath"] for mount in container["volumeMounts"] if not mount.get("readOnly")] == ["/tmp"]


def test_a_breach_in_a_manifest_is_found() -> None:
    each = next(workloads(read((render.FOLDER / "default.yaml").read_text())))
    template = deepcopy(each.template)
    template["spec"]["containers"][0]["securityContext"]["capabilities"] = {"add": ["NET_RAW"]}  # type: ignore[index]  # a copy of our own
    assert len(pod_faults(template)) == 2
