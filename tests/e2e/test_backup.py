"""A backup taken while clients write, restored elsewhere: nothing acknowledged before it is lost, nothing is twice."""

import asyncio
import os
import sys
from pathlib import Path

import httpx
import pytest
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.history import History, check_once, check_views
from crm_testkit.whole_stack import Relata, bearer

pytestmark = pytest.mark.long


async def test_a_restored_backup_holds_every_write_once_and_views_equal_the_services(on_embedded: Relata) -> None:
    key = await on_embedded.new_tenant_key()
    with temporary_run_dir() as folder:
        async with on_embedded.client_of(key) as client:
            history = History(client)
            async with asyncio.TaskGroup() as group:
                for seed in range(4):
                    group.create_task(history.write_on(seed))
                await asyncio.sleep(1.5)
                before = history.acknowledged()
                titles = dict(history.titles)
                await _crm_local("backup", folder / "backup", RUN_DIR=str(on_embedded.stack.folder.path))
                during = history.acknowledged()[len(before) :]
                history.stop.set()
            assert len(before) > 10
            assert during, "nobody wrote while the backup was taken"
        assert _open_to_others(folder / "backup") == []
        await _crm_local("restore", folder / "backup", RUN_DIR=str(folder / "run"))
        async with LocalStack(Configuration(folder / "run"), fast=True) as restored:
            assert restored.dev["tenant_id"] == on_embedded.stack.dev["tenant_id"]
            async with httpx.AsyncClient(base_url=restored.urls["gateway"], headers=bearer(key), timeout=60) as client:
                await check_once(client, before)
                for contact_id, title in titles.items():
                    contact = (await client.get(f"/v1/contacts/{contact_id}")).json()
                    assert contact["title"] == title
                assert await check_views(client) >= len(titles)
                # Every client repeats all it ever sent: what the backup has is answered again, the rest is made anew.
                acknowledged = {write.key: write.entity_id for write in before}
                for write in history.writes:
                    repeated = await history.repeat(write, client)
                    assert repeated == acknowledged.get(write.key, repeated)
                await check_once(client, history.writes)
                await check_views(client)


async def _crm_local(command: str, folder: Path, **environment: str) -> None:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "crm_local", command, str(folder)),
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    _output, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()


def _open_to_others(folder: Path) -> list[Path]:
    """The folder itself is closed, and so is whatever holds a secret."""
    secret = [folder, folder / "postgres", *(folder / "secrets").iterdir(), folder / "postgres" / "superuser_password"]
    return [path for path in (*secret, folder / "tenant.json") if path.stat().st_mode & 0o077]
