"""The commands of docs/guides/tenants.md, as they stand there."""

import asyncio
import json
import os
import re
import shlex
import sys
from collections.abc import Mapping
from functools import reduce
from pathlib import Path

import pytest
from crm_testkit.guides import guide
from crm_testkit.new_feature import ROOT
from crm_testkit.whole_stack import Relata, new_tenant

pytestmark = pytest.mark.long


def _lines(beginning: str) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", guide("tenants.md"), re.S)
    return [line for block in blocks for line in block.splitlines() if beginning in line]


async def _run(line: str, environment: Mapping[str, str]) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *shlex.split(line),
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    text = (await process.communicate())[0].decode()
    assert process.returncode is not None
    return process.returncode, text


@pytest.mark.timeout(600)
async def test_one_service_does_as_the_guide_says(on_embedded: Relata, tmp_path: Path) -> None:
    tenant_id, key = await new_tenant(on_embedded.stack, "Guide")
    async with on_embedded.client_of(key) as client:
        assert (await client.post("/v1/contacts", json={"full_name": "王伟"})).status_code == 201
    environment = on_embedded.stack.environment_of("contacts")
    secret = tmp_path / "old"
    secret.write_text(environment["SECRET"])
    places = {"python": sys.executable, "$TENANT": tenant_id, "/moves": str(tmp_path), "/run/secrets/old": str(secret)}
    done: dict[str, tuple[int, str]] = {}
    for line in _lines("python -m contacts_svc tenant-"):
        command = reduce(lambda text, place: text.replace(*place), places.items(), line)
        done[command.split()[3]] = await _run(command, environment)
    codes = {name: code for name, (code, _) in done.items()}
    refused = {"tenant-import": "it was exported from here", "tenant-delete": "it was thawed just before"}
    assert codes == {name: 1 if name in refused else 0 for name in done}, done
    assert re.search(r"contacts: settled \d+", done["tenant-settle"][1])
    assert "here already" in done["tenant-import"][1]
    assert "entities published once more" in done["tenant-restate"][1]
    assert "read-only first" in done["tenant-delete"][1]
    assert json.loads((tmp_path / tenant_id / "contacts" / "manifest.json").read_text())["is_settled"]
    assert {f"tenant-{verb}" for verb in ("freeze", "settle", "export", "import", "restate", "thaw", "delete")} == set(
        done
    )


@pytest.mark.parametrize("line", _lines("make tenant-"))
async def test_over_all_services_each_target_is_there_and_takes_what_the_guide_gives_it(
    line: str, tmp_path: Path
) -> None:
    """Against a folder without a stack: that all of it is done is seen in test_tenant_move, which needs no processes for it."""
    setting, command = line.replace("$TENANT", "tenant_01h455vb4pex5vsknk084sn02q").split(" ", 1)
    assert setting.startswith("RUN_DIR=/srv/")
    export = tmp_path / "moves" / "tenant_01h455vb4pex5vsknk084sn02q" / "gateway"
    export.mkdir(parents=True)
    (export / "manifest.json").write_text('{"tenant_id": "tenant_01h455vb4pex5vsknk084sn02q"}')
    (tmp_path / "secrets").mkdir()
    (tmp_path / "secrets" / "credentials.json").write_text("{}")
    command = command.replace("/moves", str(tmp_path / "moves")).replace("/srv/old", str(tmp_path))
    code, said = await _run(command, {"RUN_DIR": str(tmp_path / "empty"), "PYTHON": sys.executable})
    assert code != 0
    assert "holds no stack" in said, said
