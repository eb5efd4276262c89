"""`python -m crm_delivery.helm`: Helm through Go's module proxy, unless there is one. Says where it is, or why there is none."""

import os
import subprocess
import sys
from typing import Final

from crm_delivery.published import NotToBeHad, find_go
from crm_delivery.render import BUILT_HELM, HelmMissing, find_helm

VERSION: Final = "v3.21.0"
_SECONDS: Final = 1200.0
"""A proxy that does not answer must not keep the tests waiting."""


def ensure_helm() -> str:
    """The program. Raises NotToBeHad."""
    try:
        return find_helm()
    except HelmMissing:
        pass
    environment = {**os.environ, "GOBIN": str(BUILT_HELM.parent), "GOTOOLCHAIN": "local"}
    command = [find_go(), "install", "-ldflags", "-s -w", f"helm.sh/helm/v3/cmd/helm@{VERSION}"]
    try:
        made = subprocess.run(
            command, env=environment, cwd="/", capture_output=True, text=True, check=False, timeout=_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotToBeHad(f"Helm was not built within {_SECONDS:.0f} seconds") from None
    if made.returncode != 0:
        raise NotToBeHad(f"Helm cannot be built: {made.stderr.strip()[-300:]}")
    return find_helm()


if __name__ == "__main__":
    try:
        sys.stdout.write(f"{ensure_helm()}\n")
    except NotToBeHad as reason:
        sys.exit(f"no Helm: {reason}")
