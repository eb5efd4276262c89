"""The acceptance scripts that lie beside the checkout, on either event log."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from crm_testkit.whole_stack import Relata

# view.py waits for five entries of the timeline and then compares all of them at once, with the last ones perhaps still
# under way on a busy machine. That view and live composition agree in the end is test_view_equals_live's to prove.
_IN_FLIGHT = "live composition equals the view: differs in timeline"
_SCRIPTS = Path(__file__).parents[3] / "shared" / "acceptance"


@pytest.mark.skipif(not _SCRIPTS.is_dir(), reason="there is no ../shared/acceptance beside this checkout")
@pytest.mark.parametrize("script", ["view.py", "conventions.py"])
async def test_the_acceptance_script_passes(relata: Relata, script: str) -> None:
    dev_file = relata.stack.folder.dev_file
    assert json.loads(dev_file.read_text())["gateway_url"] == relata.gateway_url
    for _ in range(3):
        code, output = await _run(script, dev_file)
        if _IN_FLIGHT not in output:
            break
    assert code == 0, output


async def _run(script: str, dev_file: Path) -> tuple[int | None, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_SCRIPTS / script),
        env={**os.environ, "DEV_JSON": str(dev_file), "PYTHONPATH": str(_SCRIPTS)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 200)
    return process.returncode, output.decode()
