"""Wall clocks that can be moved while their processes run, each by itself; monotonic clocks stay true.

A shim of a few lines, compiled on the spot, and not libfaketime: that one reads a file at every look at the clock and
leaves semaphores and shared memory behind when its process is killed.
"""

import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

_SOURCE: Final = Path(__file__).with_name("clock.c")


def can_move_clocks() -> bool:
    """Whether there is a C compiler, and a loader that knows LD_PRELOAD."""
    return sys.platform == "linux" and shutil.which(os.environ.get("CC", "cc")) is not None


class Clocks:
    """One clock a name, kept in `folder`."""

    def __init__(self, folder: Path, names: Iterable[str]) -> None:
        self._folder = folder.absolute()
        self._folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        self._shim = self._folder / "clock.so"
        compiler = os.environ.get("CC", "cc")
        flags = ["-O2", "-shared", "-fPIC", "-o", str(self._shim), str(_SOURCE), "-lm", "-ldl"]
        subprocess.run([compiler, *flags], check=True, capture_output=True)
        self._files = {name: self._folder / name for name in names}
        for file in self._files.values():
            file.write_bytes(struct.pack("d", 0.0))

    def environment_of(self, name: str) -> dict[str, str]:
        """What a process is started with to live by this clock."""
        return {"LD_PRELOAD": str(self._shim), "CLOCK_SHIFT": str(self._files[name])}

    def move(self, name: str, seconds: float) -> None:
        """From now on it is so many whole seconds ahead (behind, where negative) of the true time."""
        with self._files[name].open("r+b", buffering=0) as file:
            file.write(struct.pack("d", seconds))
