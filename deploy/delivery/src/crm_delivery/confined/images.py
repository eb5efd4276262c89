"""Images out of the Dockerfile: its instructions, carried out over this machine's own files instead of a base image's.

Of the base image it takes no more than Python at /usr/local, which is this machine's, mounted read-only. Compilers are hidden,
so that an instruction that needs one fails.
"""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Final

from crm_delivery.confined import dockerfile
from crm_delivery.confined.dockerfile import Instruction, Stage
from crm_delivery.topology import ROOT

DOCKERFILE: Final = ROOT / "deploy" / "Dockerfile"
_COMPILERS: Final = ("cc", "c++", "gcc", "g++", "clang", "clang++", "ld", "as", "rustc", "cargo", "go")
_PATH: Final = "/usr/local/bin:/usr/local/sbin:/usr/bin:/usr/sbin:/bin:/sbin"
# Where this machine's Python has its library, if that is shared: it was built for another folder.
LOADER: Final = {"LD_LIBRARY_PATH": "/usr/local/lib"}
# How pip finds its index here, which is the machine's matter and not the image's.
_PASSED: Final = (
    "PIP_",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "http_proxy",
    "https_proxy",
    "NO_PROXY",
    "SSL_CERT_FILE",
    "REQUESTS_CA_BUNDLE",
)


class BuildFailed(Exception):
    """An instruction did not go; the text says which, and what it said."""


@dataclass(slots=True)
class Image:
    """`layer` is what it has beside the base's files."""

    layer: Path
    environment: dict[str, str] = field(default_factory=dict)
    user: str = "0:0"
    entrypoint: list[str] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    healthcheck: list[str] = field(default_factory=list)


class Builder:
    """Layers go to `folder`, which must not lie on the file system of `/` (overlayfs): /dev/shm is fit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._built: dict[tuple[str, str], Image] = {}

    def build(self, package: str) -> Image:
        """The image with the build argument PACKAGE. Raises BuildFailed."""
        defaults, stages = dockerfile.read(DOCKERFILE)
        arguments = {**defaults, "PACKAGE": package}
        for stage in stages:
            self._build_stage(stage, arguments)
        return self._built[stages[-1].name, package]

    def _build_stage(self, stage: Stage, arguments: Mapping[str, str]) -> None:
        asked = {each.value.partition("=")[0] for each in stage.instructions if each.word == "ARG"}
        key = (stage.name, arguments["PACKAGE"] if "PACKAGE" in asked else "")
        if key not in self._built:
            layer = self._folder / "-".join(part.replace("/", "-") for part in key if part)
            layer.mkdir(parents=True)
            image = Image(layer)
            variables: dict[str, str] = {}
            for each in stage.instructions:
                self._carry_out(each, image, variables, arguments)
            self._built[key] = image
        self._built[stage.name, arguments["PACKAGE"]] = self._built[key]

    def _carry_out(
        self, each: Instruction, image: Image, variables: dict[str, str], arguments: Mapping[str, str]
    ) -> None:
        value = (
            each.value if each.word == "RUN" else dockerfile.expanded(each.value, {**variables, **image.environment})
        )
        match each.word:
            case "ARG":
                name, _, default = value.partition("=")
                variables[name] = arguments.get(name, default)
            case "ENV":
                image.environment |= dockerfile.assignments(value)
            case "LABEL":
                image.labels |= dockerfile.assignments(value)
            case "COPY":
                self._copy(value, image, arguments["PACKAGE"])
            case "RUN":
                _run(image.layer, value, {**variables, **image.environment})
            case "USER":
                image.user = value
            case "ENTRYPOINT":
                image.entrypoint = each.words()
            case "HEALTHCHECK":
                image.healthcheck = Instruction("CMD", value.partition(" CMD ")[2]).words()
            case "WORKDIR" | "EXPOSE" | "STOPSIGNAL" | "CMD":
                pass
            case unknown:
                raise BuildFailed(f"{unknown} is not understood here")

    def _copy(self, value: str, image: Image, package: str) -> None:
        *flags, source, target = value.split()
        place = image.layer / target.lstrip("/")
        if flags:
            stage = flags[0].removeprefix("--from=")
            place.parent.mkdir(parents=True, exist_ok=True)
            # Linked: layers are not written to any more.
            subprocess.run(["cp", "-al", self._built[stage, package].layer / source.lstrip("/"), place], check=True)
            return
        for path, inner in _sent(ROOT / source):
            to = place / inner if inner.parts else place
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(path, to)
            to.chmod(0o644)


def _sent(source: Path) -> Iterator[tuple[Path, Path]]:
    """Files that the build is sent, by Dockerfile.dockerignore, with their places in `source`."""
    if source.is_file():
        yield source, Path()
        return
    lines = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text().split()
    ignored = [line.removeprefix("**/") for line in lines if line.startswith("**/")]
    for path in sorted(source.rglob("*")):
        inner = path.relative_to(source)
        if path.is_file() and not any(fnmatch(part, pattern) for part in inner.parts for pattern in ignored):
            yield path, inner


def mounted(layers: list[Path], merged: Path, writable: Path | None = None) -> str:
    """Shell lines that mount layers, the topmost first, over this machine's files; read-only where nothing is `writable`."""
    lower = ":".join([*map(str, layers), "/"])
    writing = f",upperdir={writable},workdir={writable}.work" if writable else ""
    python = shlex.quote(sys.base_prefix)
    return "\n".join(
        (
            "set -e",
            f"mount -t overlay overlay -o lowerdir={lower}{writing} {merged}",
            f"mount --bind {python} {merged}/usr/local",
            f"mount -o remount,ro,bind {merged}/usr/local",
            f"mount --rbind /dev {merged}/dev",
            f"mount -t proc proc {merged}/proc",
        )
    )


def hidden(merged: Path) -> str:
    """Shell lines that put nothing in the place of every compiler."""
    found = {str(Path(path).resolve()) for name in _COMPILERS if (path := shutil.which(name, path="/usr/bin:/bin"))}
    return "\n".join(f"mount --bind /dev/null {merged}{path}" for path in sorted(found))


def _run(layer: Path, command: str, variables: Mapping[str, str]) -> None:
    merged = layer.with_name(f"{layer.name}.merged")
    for folder in (merged, Path(f"{layer}.work")):
        folder.mkdir(exist_ok=True)
    script = "\n".join((mounted([], merged, layer), hidden(merged), f'exec chroot {merged} /bin/sh -ec "$COMMAND"'))
    passed = {name: value for name, value in os.environ.items() if name.startswith(_PASSED)}
    environment = {**passed, **LOADER, "PATH": _PATH, "HOME": "/root", **variables, "COMMAND": command}
    outcome = subprocess.run(
        ["unshare", "--mount", "--propagation", "private", "/bin/sh", "-c", script],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if outcome.returncode != 0:
        raise BuildFailed(f"RUN {command[:100]}: {(outcome.stderr or outcome.stdout).strip()[-800:]}")
