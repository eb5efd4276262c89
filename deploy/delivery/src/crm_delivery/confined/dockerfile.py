"""The instructions of a Dockerfile, as far as ours uses them."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

_VARIABLE = re.compile(r"\$\{(\w+)\}|\$(\w+)")


@dataclass(frozen=True, slots=True)
class Instruction:
    """`value` is what follows the word, in one line."""

    word: str
    value: str

    def words(self) -> list[str]:
        """Of an exec form (JSON), or else as a shell splits."""
        if self.value.startswith("["):
            return [str(word) for word in json.loads(self.value)]
        return shlex.split(self.value)


@dataclass(slots=True)
class Stage:
    """From one FROM to the next."""

    base: str
    name: str
    instructions: list[Instruction] = field(default_factory=list)


def read(path: Path) -> tuple[dict[str, str], list[Stage]]:
    """Arguments with defaults from before the first stage, and the stages. Raises ValueError for what is neither."""
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for each in _instructions(path.read_text()):
        if each.word == "FROM":
            base, *rest = each.words()
            stages.append(Stage(base, rest[1] if rest else str(len(stages))))
        elif stages:
            stages[-1].instructions.append(each)
        elif each.word == "ARG":
            name, _, default = each.value.partition("=")
            arguments[name] = default
        else:
            raise ValueError(f"{each.word} before the first FROM")
    return arguments, stages


def _instructions(text: str) -> list[Instruction]:
    lines = [line for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
    joined = re.sub(r"\\\n\s*", " ", "\n".join(lines))
    found = []
    for line in joined.splitlines():
        word, _, value = line.strip().partition(" ")
        found.append(Instruction(word.upper(), value.strip()))
    return found


def expanded(text: str, variables: Mapping[str, str]) -> str:
    """With `$NAME` and `${NAME}` replaced; what is not known is empty."""
    return _VARIABLE.sub(lambda match: variables.get(match[1] or match[2], ""), text)


def assignments(value: str) -> dict[str, str]:
    """Of ENV and LABEL: `NAME=VALUE …`."""
    return dict(word.split("=", 1) for word in shlex.split(value))
