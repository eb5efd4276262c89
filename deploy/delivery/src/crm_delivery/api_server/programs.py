"""kube-apiserver and etcd: found, or built."""

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Final

from crm_delivery.published import NotToBeHad, find_go, go_environment, go_module
from crm_delivery.topology import ROOT

VERSION: Final = "1.34.3"
_BUILT: Final = ROOT / ".cache" / "bin" / f"kube-apiserver-{VERSION}"


def find_api_server() -> str:
    """`KUBE_APISERVER`, or what `build` has made. Raises NotToBeHad."""
    for candidate in (os.environ.get("KUBE_APISERVER"), str(_BUILT)):
        if candidate and Path(candidate).exists():
            return candidate
    raise NotToBeHad("there is no kube-apiserver: `make apiserver` builds it with Go, in half an hour")


def find_etcd() -> str:
    """The one on the path. Raises NotToBeHad."""
    found = shutil.which("etcd")
    if found is None:
        raise NotToBeHad("there is no etcd: install it (Debian's etcd-server)")
    return found


def build() -> Path:
    """kube-apiserver, unless it has been built; one package at a time, to leave the machine usable. Raises NotToBeHad."""
    find_etcd()
    if _BUILT.exists():
        return _BUILT
    folder = ROOT / ".cache" / f"kubernetes-{VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    published = (go_module(f"k8s.io/kubernetes@v{VERSION}") / "go.mod").read_text()
    (folder / "go.mod").write_text(_module(published))
    # A package of ours, so that Go looks for nothing but what the server imports.
    (folder / "needs.go").write_text('package needs\n\nimport _ "k8s.io/kubernetes/cmd/kube-apiserver/app"\n')
    made = folder / "kube-apiserver"
    command = [
        *("nice", "-n", "15", find_go(), "build", "-p", "1", "-o", str(made)),
        *("-ldflags", f"-s -w -X k8s.io/component-base/version.gitVersion=v{VERSION}"),
        "k8s.io/kubernetes/cmd/kube-apiserver",
    ]
    done = subprocess.run(command, cwd=folder, env=go_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise NotToBeHad(f"kube-apiserver cannot be built: {done.stderr.strip()[-300:]}")
    _BUILT.parent.mkdir(parents=True, exist_ok=True)
    return made.replace(_BUILT)


def _module(published: str) -> str:
    """Kubernetes is no library: its parts are in the proxy as modules of their own, where its go.mod names folders beside it."""
    parts = re.findall(r"(k8s\.io/\S+) => \./staging", published)
    part_version = f"v0.{VERSION.partition('.')[2]}"
    required = [
        (name, version)
        for name, version in re.findall(r"^\s+(\S+) (v\S+)(?: // indirect)?$", published, re.MULTILINE)
        if name not in parts
    ]
    required += [("k8s.io/kubernetes", f"v{VERSION}"), *((name, part_version) for name in parts)]
    lines = ["module relata/needs", "", re.findall(r"^go \S+$", published, re.MULTILINE)[0], "", "require ("]
    lines += [f"\t{name} {version}" for name, version in required]
    lines += [")", "", *(f"replace {name} => {name} {part_version}" for name in parts)]
    return "\n".join(lines) + "\n"
