"""What `make run` takes before anybody asks for anything: `python benchmarks/idle.py`.

Seconds to readiness and the proportional size of all of its processes, at its first start, which migrates, and at the next.
"""

import asyncio
import json
import os
import signal
import sys
import time
from pathlib import Path
from subprocess import DEVNULL

from crm_local.configuration import PROCESSES
from crm_local.ports import find_free_ports
from crm_local.run_folder import temporary_run_dir
from crm_testkit.soak.memory import proportional_mb

_SETTLED_SECONDS = 6.0


async def idle(folder: Path) -> dict[str, float]:
    """Of one start in a run folder."""
    base = min(find_free_ports(len(PROCESSES)))
    environment = {**os.environ, "RUN_DIR": str(folder), "PORT_BASE": str(base)}
    began = time.perf_counter()
    command = [sys.executable, "-m", "crm_local", "run"]
    process = await asyncio.create_subprocess_exec(*command, env=environment, stdout=DEVNULL, stderr=DEVNULL)
    try:
        async with asyncio.timeout(120):
            while not (folder / "dev.json").exists():
                if process.returncode is not None:
                    raise RuntimeError(f"make run has ended with {process.returncode}: are ports {base} and up free?")
                await asyncio.sleep(0.05)
        seconds = time.perf_counter() - began
        await asyncio.sleep(_SETTLED_SECONDS)
        return {"seconds to ready": round(seconds, 1), "idle MB": round(proportional_mb(process.pid))}
    finally:
        process.send_signal(signal.SIGINT)
        await process.wait()


async def idle_stack() -> dict[str, dict[str, float]]:
    with temporary_run_dir() as folder:
        return {"first start": await idle(folder), "next start": await idle(folder)}


if __name__ == "__main__":
    print(json.dumps(asyncio.run(idle_stack()), indent=1))
