"""What compose.yaml runs before and after the processes."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg
import pytest
from crm_kit.db.embedded import EmbeddedPostgres
from crm_local.configuration import PROCESSES


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    folder = tmp_path_factory.mktemp("cluster")
    for each in (folder, *folder.parents[:2]):
        each.chmod(0o711)
    with EmbeddedPostgres(folder / "postgres", fast=True) as started:
        yield started


def step(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "crm_local.compose", *arguments]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)


def sourced(file: Path) -> dict[str, str]:
    """As the processes of compose.yaml get them: through a shell."""
    script = f'set -a; . "{file}"; exec "{sys.executable}" -c "import json, os; print(json.dumps(dict(os.environ)))"'
    shown = subprocess.run(["/bin/sh", "-c", script], capture_output=True, text=True, check=True, env={}).stdout
    found: dict[str, str] = json.loads(shown)
    return found


@pytest.fixture(scope="module")
def prepared(server: EmbeddedPostgres, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder, superuser = tmp_path_factory.mktemp("secrets"), tmp_path_factory.mktemp("superuser")
    parts = urlsplit(server.superuser_url())
    (superuser / "postgresql").write_text(f"{parts.password}\n")
    url = f"postgresql://postgres@{parts.path}?{parts.query}"
    for _ in range(2):
        done = step("prepare", str(folder), "--superuser", str(superuser / "postgresql"), SERVER_URL=url)
        assert (done.returncode, done.stderr) == (0, "")
    return folder


@pytest.mark.parametrize("name", PROCESSES)
async def test_each_service_gets_the_ways_into_its_own_database(prepared: Path, name: str) -> None:
    settings = sourced(prepared / f"{name}.env")
    for role in ("", "_SYSTEM", "_OWNER"):
        connection = await asyncpg.connect(settings[f"{name.upper()}{role}_DATABASE_URL"])
        assert await connection.fetchval("select current_database()") == name
        await connection.close()
    assert len(settings["SECRET"]) >= 32
    assert ("ADMIN_KEY" in settings) == (name == "gateway")
    assert [one for one in PROCESSES if one != name and f"{one.upper()}_DATABASE_URL" in settings] == []


def test_files_are_read_by_their_owner_alone(prepared: Path) -> None:
    assert {path.name for path in prepared.glob("*.env")} == {f"{name}.env" for name in PROCESSES}
    assert [path.name for path in prepared.iterdir() if path.stat().st_mode & 0o077] == []


def test_a_password_that_is_there_stays(tmp_path: Path) -> None:
    assert step("password", str(tmp_path)).returncode == 0
    password = (tmp_path / "postgresql").read_text()
    assert len(password) >= 32
    assert step("password", str(tmp_path)).returncode == 0
    assert (tmp_path / "postgresql").read_text() == password


def test_what_does_not_go_is_one_sentence_without_the_password(tmp_path: Path) -> None:
    (tmp_path / "postgresql").write_text("of-nobody-at-all")
    url = "postgresql://postgres@127.0.0.1:9/postgres"
    done = step("prepare", str(tmp_path), "--superuser", str(tmp_path / "postgresql"), SERVER_URL=url)
    assert done.returncode == 1
    assert done.stderr.startswith("prepare failed: ")
    assert "of-nobody-at-all" not in done.stderr
