"""The acceptance scripts that lie beside the checkout, on either event log."""

import asyncio
import json
import os
import sys
from pathlib import Path

import pytest
from crm_testkit.whole_stack import Relata

_SCRIPTS = Path(__file__).parents[3] / "shared" / "acceptance"


@pytest.mark.skipif(not _SCRIPTS.is_dir(), reason="there is no ../shared/acceptance beside this checkout")
@pytest.mark.parametrize("script", ["view.py", "conventions.py"])
async def test_the_acceptance_script_passes(relata: Relata, script: str) -> None:
    dev_file = relata.stack.folder.dev_file
    assert json.loads(dev_file.read_text())["gateway_url"] == relata.gateway_url
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        str(_SCRIPTS / script),
        env={**os.environ, "DEV_JSON": str(dev_file), "PYTHONPATH": str(_SCRIPTS)},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), 200)
    assert process.returncode == 0, output.decode()
