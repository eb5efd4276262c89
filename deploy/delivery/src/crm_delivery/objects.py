"""Kubernetes' objects out of rendered manifests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

Object = Mapping[str, Any]
JOBS: Final = ("provision", "migrate")
"""Roles of the jobs, in their order."""
RUNNING: Final = ("Deployment", "StatefulSet")
_READ_BY_GROUP: Final = 0o040


@dataclass(frozen=True, slots=True)
class SecretFile:
    """A key of a Secret, as a container sees it. `mode`: with what the kubelet gives to the pod's group beside it."""

    path: str
    secret: str
    key: str
    mode: int


@dataclass(frozen=True, slots=True)
class Workload:
    """What makes pods. `name` is short: service and role."""

    name: str
    service: str
    role: str
    template: Object

    @property
    def labels(self) -> Mapping[str, str]:
        labels: Mapping[str, str] = self.template["metadata"]["labels"]
        return labels

    @property
    def container(self) -> Object:
        """The only one."""
        (container,) = self.template["spec"]["containers"]
        found: Object = container
        return found

    @property
    def environment(self) -> Mapping[str, str]:
        """As the kubelet makes it, the pod being named as the workload."""
        return {each["name"]: each.get("value", self.name) for each in self.container.get("env") or ()}

    @property
    def secret_files(self) -> list[SecretFile]:
        """What is mounted of Secrets; by projected volumes, of which each names its keys."""
        places = {mount["name"]: mount["mountPath"] for mount in self.container["volumeMounts"]}
        return [
            SecretFile(
                f"{places[volume['name']]}/{item['path']}",
                source["secret"]["name"],
                item["key"],
                volume["projected"]["defaultMode"] | _READ_BY_GROUP,
            )
            for volume in self.template["spec"]["volumes"]
            if "projected" in volume
            for source in volume["projected"]["sources"]
            for item in source["secret"]["items"]
        ]


def read(text: str) -> list[Object]:
    """All objects of a manifest."""
    return [each for each in yaml.load_all(text, Loader=yaml.CSafeLoader) if each]


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def workloads(objects: Iterable[Object]) -> Iterator[Workload]:
    """Of what runs always, and of Jobs."""
    for each in of_kind(objects, *RUNNING, "Job"):
        template = each["spec"]["template"]
        labels = template["metadata"]["labels"]
        service, role = labels["relata/service"], labels["relata/role"]
        yield Workload(f"{service}-{role}", service, role, template)
