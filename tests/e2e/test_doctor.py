"""`make doctor`, beside the running stack."""

import asyncio
import os
import sys

from crm_testkit.whole_stack import Relata


async def test_a_stack_that_runs_is_well(on_embedded: Relata) -> None:
    run_dir = str(on_embedded.stack.folder.path)
    environment = {**os.environ, "RUN_DIR": run_dir}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crm_local", "doctor"), env=environment, stdout=asyncio.subprocess.PIPE
    )
    said = (await process.communicate())[0].decode().splitlines()
    faults = [line for line in said if line.startswith("FAULT")]
    assert (process.returncode, faults) == (0, [])
    for service in ("gateway", "contacts", "pipeline", "tickets", "campaigns"):
        for check in ("database", "roles", "migrations", "tenants", "outbox", "event log", "consumers"):
            assert any(line.startswith(("ok", "WARNING")) and f"{service}: {check}: " in line for line in said), check
    assert any(" disk: " in line for line in said)
