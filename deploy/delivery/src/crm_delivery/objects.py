"""Kubernetes' objects out of rendered manifests."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

Object = Mapping[str, Any]


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


def read(text: str) -> list[Object]:
    """All objects of a manifest."""
    return [each for each in yaml.safe_load_all(text) if each]


def of_kind(objects: Iterable[Object], *kinds: str) -> list[Object]:
    return [each for each in objects if each["kind"] in kinds]


def workloads(objects: Iterable[Object]) -> Iterator[Workload]:
    """Of Deployments and Jobs."""
    for each in of_kind(objects, "Deployment", "Job"):
        template = each["spec"]["template"]
        labels = template["metadata"]["labels"]
        service, role = labels["relata/service"], labels["relata/role"]
        yield Workload(f"{service}-{role}", service, role, template)
