"""What others publish and our manifests are held to: definitions of custom resources, fixtures of Pod Security.

Fetched when it is asked for, through Go's module proxy and Maven's central repository; nothing of it is kept in this repository.
"""

import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from crm_delivery.topology import ROOT

POD_SECURITY: Final = "k8s.io/pod-security-admission@v0.37.0"
_DEFINITIONS: Final = {
    "github.com/cloudnative-pg/cloudnative-pg@v1.30.0": ("config/crd/bases/*.yaml",),
    "github.com/kedacore/keda/v2@v2.20.2": ("config/crd/bases/*.yaml",),
    "sigs.k8s.io/gateway-api@v1.6.3": ("config/crd/standard/*.yaml",),
    # Of its ten those that are asked for; others have a `=` that YAML 1.1 takes for a type.
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/*_podmonitors.yaml",
        "example/prometheus-operator-crd/*_prometheusrules.yaml",
    ),
}
_STRIMZI: Final = "1.2.0"
_STRIMZI_KINDS: Final = {"kafka.Kafka": "Kafka", "topic.KafkaTopic": "KafkaTopic", "user.KafkaUser": "KafkaUser"} | {
    "nodepool.KafkaNodePool": "KafkaNodePool"
}
_STRIMZI_JAVA: Final = 21


class NotToBeHad(Exception):
    """It cannot be fetched here; the text says why."""


def find_go() -> str:
    """On the path, or where its own archive puts it. Raises NotToBeHad."""
    go = shutil.which("go", path=f"{os.environ.get('PATH', '')}:/usr/local/go/bin")
    if go is None:
        raise NotToBeHad("there is no Go, whose module proxy has it")
    return go


def go_environment() -> dict[str, str]:
    """In which Go is the one that is there, and writes down what it has chosen."""
    return {**os.environ, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"}


def go_module(name: str) -> Path:
    """The folder of a module, `path@version`. Raises NotToBeHad."""
    # Outside of any module of ours.
    made = subprocess.run(
        [find_go(), "mod", "download", "-json", name],
        capture_output=True,
        text=True,
        check=False,
        env=go_environment(),
        cwd="/",
    )
    if made.returncode != 0:
        raise NotToBeHad(f"{name} cannot be fetched: {(made.stderr or made.stdout).strip()[-200:]}")
    return Path(json.loads(made.stdout)["Dir"])


def definitions_of_go_modules() -> Iterator[Mapping[str, Any]]:
    """CustomResourceDefinitions of CloudNativePG, KEDA, the Gateway API and the Prometheus operator. Raises NotToBeHad."""
    for module, patterns in _DEFINITIONS.items():
        folder = go_module(module)
        for path in sorted(path for pattern in patterns for path in folder.glob(pattern)):
            yield from _definitions(path)


def definitions_of_strimzi() -> Iterator[Mapping[str, Any]]:
    """CustomResourceDefinitions that Strimzi's own generator writes from its classes. Raises NotToBeHad."""
    java, maven = _java(), shutil.which("mvn")
    if maven is None:
        raise NotToBeHad("there is no Maven, whose repository has Strimzi")
    folder = ROOT / ".cache" / f"strimzi-{_STRIMZI}"
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {name: folder / f"{kind}.yaml" for name, kind in _STRIMZI_KINDS.items()}
    if not all(path.exists() for path in wanted.values()):
        classes = _classpath(maven, folder)
        kinds = [f"io.strimzi.api.kafka.model.{name}={path}" for name, path in wanted.items()]
        generator = [
            "io.strimzi.crdgenerator.CrdGenerator",
            "--yaml",
            "--target-kube",
            "1.30+",
            "--crd-api-version",
            "v1",
        ]
        _run([java, "-cp", classes, *generator, *kinds])
    for path in wanted.values():
        yield from _definitions(path)


def _definitions(path: Path) -> Iterator[Mapping[str, Any]]:
    for each in yaml.load_all(path.read_text(), Loader=yaml.CSafeLoader):
        if each and each.get("kind") == "CustomResourceDefinition":
            yield each


def _classpath(maven: str, folder: Path) -> str:
    pom, written = folder / "pom.xml", folder / "classpath"
    pom.write_text(
        '<project xmlns="http://maven.apache.org/POM/4.0.0"><modelVersion>4.0.0</modelVersion>'
        "<groupId>relata</groupId><artifactId>definitions</artifactId><version>1</version><dependencies>"
        + "".join(
            f"<dependency><groupId>io.strimzi</groupId><artifactId>{each}</artifactId><version>{_STRIMZI}</version></dependency>"
            for each in ("crd-generator", "api")
        )
        + "</dependencies></project>"
    )
    _run([maven, "-q", "-B", "-f", str(pom), "dependency:build-classpath", f"-Dmdep.outputFile={written}"])
    return written.read_text()


def _java() -> str:
    """Strimzi's classes are of Java 21: the one on the path, or another that is installed."""
    beside = sorted(Path("/usr/lib/jvm").glob("*/bin/java"), reverse=True)
    for java in filter(None, (shutil.which("java"), *map(str, beside))):
        told = subprocess.run([java, "-version"], capture_output=True, text=True, check=False).stderr
        version = re.search(r'version "(\d+)', told)
        if version is not None and int(version[1]) >= _STRIMZI_JAVA:
            return java
    raise NotToBeHad(f"Strimzi's generator needs Java {_STRIMZI_JAVA}")


def _run(command: list[str]) -> None:
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise NotToBeHad(f"{Path(command[0]).name} failed: {(made.stderr or made.stdout).strip()[-300:]}")
