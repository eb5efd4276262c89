"""What is in the images: a bill of materials, licences, known faults. `python -m crm_delivery.supply_chain sbom|licences|audit`."""

import json
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from crm_delivery.topology import ROOT

LOCK: Final = ROOT / "deploy" / "requirements.lock"
SBOM: Final = ROOT / "dist" / "relata.cdx.json"
_BIN: Final = Path(sys.executable).parent

ALLOWED: Final = frozenset(
    (
        "0BSD", "3-Clause BSD License",
        "Apache-2.0", "Apache Software License", "BSD-2-Clause", "BSD-3-Clause", "BSD License", "ISC", "MIT",
        "MIT License", "MIT-0", "PSF-2.0", "Python Software Foundation License", "The Unlicense (Unlicense)", "Unlicense",
        # Copyleft by file: what we ship of it is as it came.
        "MPL-2.0", "Mozilla Public License 2.0 (MPL 2.0)",
    )
)  # fmt: skip
"""As packages write them. Whatever else comes is looked at by a person first."""


class Unreachable(Exception):
    """The service that knows of faults was not reached; the text is what the client said."""


@dataclass(frozen=True, slots=True)
class Library:
    name: str
    version: str
    licence: str

    @property
    def is_allowed(self) -> bool:
        """All of what AND joins, one of what OR joins."""
        choices = re.split(r"\s+OR\s+", self.licence.replace("(Apache-2.0 OR MIT)", "Apache-2.0"))
        return any(all(one in ALLOWED for one in re.split(r"\s+AND\s+|;\s*", choice.strip())) for choice in choices)


def names() -> list[str]:
    """Of the libraries in the images."""
    return re.findall(r"^([a-z0-9-]+)(?:\[[^]]*\])?==", LOCK.read_text(), re.MULTILINE)


def libraries() -> list[Library]:
    """With the licences that their own metadata names. Raises ValueError where one is not installed."""
    wanted = names()
    command = [str(_BIN / "pip-licenses"), "--from=mixed", "--format=json", "--packages", *wanted]
    found = json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    if len(found) != len(wanted):
        missing = set(wanted) - {re.sub(r"[-_.]+", "-", each["Name"]).lower() for each in found}
        raise ValueError(f"not installed: {', '.join(sorted(missing))}")
    return [Library(each["Name"], each["Version"], each["License"]) for each in found]


def refused(found: Iterable[Library]) -> list[Library]:
    return [each for each in found if not each.is_allowed]


def write_sbom(path: Path = SBOM) -> None:
    """CycloneDX 1.6, the same bytes for the same lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    made = subprocess.run(
        [_BIN / "cyclonedx-py", "requirements", "--output-reproducible", "--of", "JSON", "--sv", "1.6", "--short-PURLs", "-o", path, LOCK],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if made.returncode != 0:
        raise ValueError(made.stderr.strip())
    # Where this machine's index is says nothing of the libraries.
    bill = json.loads(path.read_text())
    for component in bill["components"]:
        component.pop("externalReferences", None)
    path.write_text(json.dumps(bill, indent=1, sort_keys=True) + "\n")


def audit(program: Path) -> list[str]:
    """Known faults of the libraries, a line each. Raises Unreachable, also where some of them alone were not known."""
    command = [
        str(program),
        "--requirement",
        str(LOCK),
        "--disable-pip",
        "--no-deps",
        "--format=json",
        "--progress-spinner=off",
    ]
    made = subprocess.run(command, capture_output=True, text=True, check=False)
    if not made.stdout.strip():
        raise Unreachable((made.stderr.strip().splitlines() or ["it said nothing"])[-1][:300])
    found = json.loads(made.stdout)["dependencies"]
    # It ends with code 0 where its service knows none of them, as an index without advisories does.
    if skipped := [each["skip_reason"] for each in found if "skip_reason" in each]:
        raise Unreachable(f"of {len(found)} libraries {len(skipped)} could not be looked up: {skipped[0]}")
    return [
        f"{each['name']} {each['version']}: {fault['id']}, mended in {', '.join(fault['fix_versions']) or 'no release'}"
        for each in found
        for fault in each.get("vulns", ())
    ]


def main(arguments: list[str]) -> str | None:
    """None, or what is wrong."""
    match arguments:
        case ["sbom"]:
            write_sbom()
            sys.stdout.write(f"{SBOM.relative_to(ROOT)}\n")
        case ["licences"]:
            found = libraries()
            sys.stdout.writelines(f"{each.name} {each.version}: {each.licence}\n" for each in found)
            if bad := refused(found):
                return f"not allowed, or not known: {', '.join(f'{each.name} ({each.licence})' for each in bad)}"
        case ["audit", program]:
            try:
                faults = audit(Path(program))
            except Unreachable as reason:
                return f"nothing was audited: {reason}"
            return "\n".join(faults) or None
        case _:
            return "one of sbom, licences, audit PROGRAM"
    return None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
