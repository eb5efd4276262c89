"""Schemathesis against the running gateway, on the document that it serves.

`make test` draws SCHEMATHESIS_EXAMPLES (20) for every operation and follows the links between operations. The coverage
phase, which tries every keyword of every schema in turn, takes much longer: `make schemathesis` adds it, and draws more.
"""

import asyncio
import os
import sys
from pathlib import Path

import pytest
from crm_testkit.whole_stack import Relata

pytestmark = pytest.mark.long

_HERE = Path(__file__).parent
_EXAMPLES = int(os.environ.get("SCHEMATHESIS_EXAMPLES", "20"))
_PHASES = os.environ.get("SCHEMATHESIS_PHASES", "examples,fuzzing,stateful")
_SECONDS = 7200 if "coverage" in _PHASES else 600


@pytest.mark.timeout(_SECONDS + 60)
async def test_the_running_gateway_is_as_its_document_says(on_embedded: Relata, tmp_path: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "schemathesis.cli",
        *("--config-file", str(_HERE / "schemathesis.toml"), "run", f"{on_embedded.gateway_url}/openapi.json"),
        *("--checks", "all", "--phases", _PHASES, "--max-examples", str(_EXAMPLES)),
        cwd=tmp_path,
        env={
            **os.environ,
            "NO_COLOR": "1",
            "SCHEMATHESIS_HOOKS": str(_HERE / "schemathesis_hooks.py"),
            "GATEWAY_API_KEY": await on_embedded.new_tenant_key("Schemathesis"),
            "GATEWAY_ADMIN_KEY": str(on_embedded.stack.dev["admin_key"]),
        },
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), _SECONDS)
    finally:
        if process.returncode is None:
            process.kill()
    text = output.decode()
    summary = text[text.find("=== SUMMARY") :] if "=== SUMMARY" in text else text
    sys.stdout.write(summary)
    assert process.returncode == 0, text
