"""Backup and restore of a stack at rest: what they refuse, in one sentence, and what they notice."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from crm_kit.db.embedded import EmbeddedPostgres
from crm_local.backup import back_up, restore
from crm_local.configuration import Configuration
from crm_local.credentials import ensure_credentials
from crm_local.errors import StackError
from crm_local.run_folder import RunFolder, temporary_run_dir, write_json


@pytest.fixture(scope="module")
def run_dir() -> Iterator[Path]:
    """A stack that does not run: a cluster and its secrets."""
    with temporary_run_dir() as folder:
        stack = RunFolder(folder / "run")
        stack.open()
        ensure_credentials(stack.secrets)
        write_json(stack.tenant_file, {"tenant_id": "tenant_1"})
        with EmbeddedPostgres(stack.postgres, fast=True):
            pass
        stack.close()
        yield stack.path


@pytest.fixture(scope="module")
def backup(run_dir: Path) -> Path:
    back_up(Configuration(run_dir), run_dir.parent / "backup")
    return run_dir.parent / "backup"


def _copy(backup: Path, name: str) -> Path:
    copy = backup.with_name(name)
    subprocess.run(["cp", "-a", str(backup), str(copy)], check=True)
    return copy


def test_a_stack_at_rest_is_backed_up_and_restored(run_dir: Path, backup: Path) -> None:
    target = run_dir.parent / "restored"
    restore(Configuration(target), backup)
    assert not list(run_dir.parent.glob(".backup-*"))
    for name in ("credentials.json", "signing_key.json", "jwks.json"):
        assert (target / "secrets" / name).read_bytes() == (run_dir / "secrets" / name).read_bytes()
        assert (target / "secrets" / name).stat().st_mode & 0o777 == 0o600
    with EmbeddedPostgres(target / "postgres", fast=True) as server:
        assert server.pid is not None


def test_nothing_is_overwritten(run_dir: Path, backup: Path) -> None:
    with pytest.raises(StackError, match="is there already"):
        back_up(Configuration(run_dir), backup)
    with pytest.raises(StackError, match="is not empty"):
        restore(Configuration(run_dir), backup)


def test_a_damaged_backup_is_noticed_before_anything_is_written(backup: Path) -> None:
    target = Configuration(backup.parent / "never")
    changed = _copy(backup, "changed")
    page = changed / "postgres" / "cluster" / "PG_VERSION"
    page.write_bytes(page.read_bytes().replace(b"1", b"2"))
    with pytest.raises(StackError, match="pg_verifybackup"):
        restore(target, changed)
    secretless = _copy(backup, "secretless")
    (secretless / "secrets" / "signing_key.json").unlink()
    with pytest.raises(StackError, match="damaged"):
        restore(target, secretless)
    unfinished = _copy(backup, "unfinished")
    (unfinished / "backup.json").unlink()
    with pytest.raises(StackError, match="no complete backup"):
        restore(target, unfinished)
    assert not target.run_dir.exists()


def test_a_log_in_kafka_is_not_backed_up_in_silence(run_dir: Path) -> None:
    with pytest.raises(StackError, match="Kafka"):
        back_up(Configuration(run_dir, bus="kafka", kafka="localhost:9092"), run_dir.parent / "no")
    write_json(run_dir / "bus.json", {"bus": "kafka"})
    try:
        with pytest.raises(StackError, match="Kafka"):
            back_up(Configuration(run_dir), run_dir.parent / "no")
    finally:
        (run_dir / "bus.json").unlink()


def test_a_restore_that_was_cut_short_does_not_start_as_an_empty_stack(run_dir: Path, backup: Path) -> None:
    target = run_dir.parent / "cut"
    restore(Configuration(target), backup)
    (target / "postgres" / "cluster" / "global" / "pg_control").unlink()  # what is copied last
    with pytest.raises(Exception, match="incomplete"):
        EmbeddedPostgres(target / "postgres").start()


def test_errors_on_the_command_line_are_one_sentence(open_folder: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "crm_local", "backup", str(open_folder / "backup")],
        env={**os.environ, "RUN_DIR": str(open_folder / "nothing")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1
    assert "holds no stack" in ran.stderr
    assert not (open_folder / "backup").exists()
