"""The manifests that the chart renders, committed so that every change of them is seen in the diff.

`python -m crm_delivery.render` writes them, by Helm; `--check` says whether the chart has changed since, without Helm.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Final

from crm_delivery import topology, values_page
from crm_delivery.topology import CHART, ROOT

FOLDER: Final = ROOT / "deploy" / "kubernetes"
DIGEST: Final = FOLDER / "chart.sha256"
EXAMPLES: Final = {
    "default": None,
    "minimal": CHART / "examples" / "minimal.yaml",
    "production": CHART / "examples" / "production.yaml",
}
KUBERNETES: Final = "1.33.0"
"""What the manifests are rendered for."""

BUILT_HELM: Final = ROOT / ".cache" / "bin" / "helm"


class HelmMissing(Exception):
    """There is no Helm; the text says how to get it."""


def find_helm() -> str:
    """The program: `HELM`, on the path, or what `make helm` has built. Raises HelmMissing."""
    for candidate in (os.environ.get("HELM"), shutil.which("helm"), str(BUILT_HELM)):
        if candidate and Path(candidate).exists():
            return candidate
    raise HelmMissing("there is no Helm: install it, set HELM, or run `make helm`, which builds it with Go")


def render(helm: str, *arguments: str) -> str:
    """The manifests under these arguments of `helm template`. Raises ValueError with what Helm says."""
    command = [helm, "template", "relata", str(CHART), "--namespace", "relata", "--kube-version", KUBERNETES]
    made = subprocess.run([*command, *arguments], capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise ValueError(made.stderr.strip())
    return made.stdout


def render_example(helm: str, name: str) -> str:
    """As `render`, of one of EXAMPLES."""
    values = EXAMPLES[name]
    return render(helm, *(("--values", str(values)) if values else ()))


def digest() -> str:
    """Of everything that the manifests are made of."""
    summed = hashlib.sha256()
    for path in sorted(path for path in CHART.rglob("*") if path.is_file()):
        summed.update(f"{path.relative_to(CHART).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return summed.hexdigest() + "\n"


def faults() -> list[str]:
    """What is out of date, as far as it is seen without Helm."""
    found = []
    if topology.TOPOLOGY.read_text() != topology.text():
        found.append("the services' roles or topics have changed since the chart's topology.json was written")
    if not DIGEST.exists() or DIGEST.read_text() != digest():
        found.append("the chart has changed since deploy/kubernetes was rendered")
    if not values_page.PAGE.exists() or values_page.PAGE.read_text() != values_page.text():
        found.append("the chart's values have changed since docs/values.md was written")
    return found


def write() -> None:
    """Everything. Raises HelmMissing and ValueError."""
    helm = find_helm()
    topology.TOPOLOGY.write_text(topology.text())
    for name in EXAMPLES:
        (FOLDER / f"{name}.yaml").write_text(render_example(helm, name))
    DIGEST.write_text(digest())
    values_page.PAGE.write_text(values_page.text())


def main(arguments: list[str]) -> str | None:
    if "--check" in arguments:
        return "; ".join(found) + ": run `make render`, and commit what it writes" if (found := faults()) else None
    try:
        write()
    except (HelmMissing, ValueError) as error:
        return str(error)
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
