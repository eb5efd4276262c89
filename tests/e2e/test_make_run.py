"""`make run` as a person at a terminal has it: started, used by the README's own lines, stopped by Ctrl-C, started again."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import psutil
import pytest
from crm_local.ports import find_free_ports
from crm_local.run_folder import temporary_run_dir

pytestmark = pytest.mark.long

_CHECKOUT = Path(__file__).parents[2]
_PROCESSES = {"gateway", "contacts", "pipeline", "tickets", "campaigns"}
_MARK = "RELATA_TEST_RUN"


class Terminal:
    """A folder with a stack in it, and a mark by which its processes are found, whoever started them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.mark = uuid.uuid4().hex
        self.port_base = find_free_ports(len(_PROCESSES))[0]
        self.processes: list[subprocess.Popen[str]] = []

    @property
    def dev_file(self) -> Path:
        return self.folder / ".run" / "dev.json"

    @property
    def dev(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.dev_file.read_text())
        return found

    def environment(self, **more: str) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if name not in ("RUN_DIR", "BUS")}
        return {**kept, _MARK: self.mark, "PORT_BASE": str(self.port_base), **more}

    def make_run(self, **more: str) -> "subprocess.Popen[str]":
        """What `make run` executes, in the background of this terminal."""
        started = subprocess.Popen(
            [sys.executable, "-m", "crm_local", "run"],
            cwd=self.folder,
            env=self.environment(**more),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        self.processes.append(started)
        return started

    def wait_ready(self, started: "subprocess.Popen[str]") -> float:
        begin = time.monotonic()
        while not self.dev_file.exists():
            assert started.poll() is None, started.communicate()
            assert time.monotonic() < begin + 90, "not ready within 90 s"
            time.sleep(0.05)
        return time.monotonic() - begin

    def ctrl_c(self, started: "subprocess.Popen[str]") -> str:
        """SIGINT to the whole group, as a terminal sends it. Returns what was printed."""
        os.killpg(started.pid, signal.SIGINT)
        output, errors = started.communicate(timeout=30)
        assert started.returncode == 0, errors
        assert "Traceback" not in errors
        return output

    def left(self) -> list[psutil.Process]:
        """Living processes that carry our mark, started by whomever."""
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.environ().get(_MARK) == self.mark and process.status() != psutil.STATUS_ZOMBIE:
                    found.append(process)
        return found

    def shell(self, script: str) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=self.folder,
            env=self.environment(),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    with temporary_run_dir() as folder:
        terminal = Terminal(folder)
        try:
            yield terminal
        finally:
            for process in terminal.processes:
                if process.poll() is None:
                    process.terminate()
                    process.communicate(timeout=30)
            for left in terminal.left():
                left.kill()


def _readme_calls(port: int) -> str:
    """The README's own shell lines; only the port is another, since the default one may be taken."""
    blocks = re.findall(r"```sh\n(.*?)```", (_CHECKOUT / "README.md").read_text(encoding="utf-8"), re.S)
    [calls] = [block for block in blocks if "customers/$ID" in block]
    assert "http://127.0.0.1:8080/v1" in calls
    return calls.replace("127.0.0.1:8080", f"127.0.0.1:{port}")


def _answers(output: str) -> list[dict[str, Any]]:
    """The JSON documents in what the lines print, one after the other."""
    decoder, found, position = json.JSONDecoder(), [], 0
    while (position := output.find("{", position)) >= 0:
        document, position = decoder.raw_decode(output, position)
        found.append(document)
    return found


def test_a_first_run_the_readme_ctrl_c_and_a_second_run(terminal: Terminal) -> None:
    started = terminal.make_run()
    terminal.wait_ready(started)
    dev = terminal.dev
    assert set(dev) == {"gateway_url", "tenant_id", "api_key", "admin_key", "services", "pids"}
    assert set(dev["services"]) == _PROCESSES
    assert set(dev["pids"]) >= _PROCESSES
    assert dev["gateway_url"] == dev["services"]["gateway"] == f"http://127.0.0.1:{terminal.port_base}"
    assert dev["tenant_id"].startswith("tenant_")
    assert terminal.dev_file.stat().st_mode & 0o077 == 0, "others can read the keys"
    for pid in dev["pids"].values():
        assert psutil.pid_exists(pid)

    ran = terminal.shell(_readme_calls(terminal.port_base))
    assert ran.returncode == 0, ran.stderr
    deal, changed, view, found = _answers(ran.stdout)
    assert deal["amount"] == {"amount": "128000.00", "currency": "CNY"}
    assert changed["title"] == "采购经理"
    assert view["profile"]["full_name"] == "欧阳晓梅"
    assert [each["id"] for each in view["sales"]["open_deals"]] == [deal["id"]]
    assert [each["id"] for each in found["data"]] == [changed["id"]]

    second = terminal.make_run()
    output, errors = second.communicate(timeout=30)
    assert second.returncode == 1
    assert output == ""
    assert errors.count("\n") == 1, errors
    assert f"process {started.pid}" in errors
    assert terminal.dev == dev, "the second start left its traces in the first one's dev.json"

    output = terminal.ctrl_c(started)
    assert dev["api_key"] in output
    assert f"{dev['gateway_url']}/docs" in output
    _nothing_is_left(terminal, dev)

    again = terminal.make_run()
    terminal.wait_ready(again)
    assert {**terminal.dev, "pids": {}} == {**dev, "pids": {}}, "a second run has the same addresses, tenant and keys"
    headers = {"Authorization": f"Bearer {dev['api_key']}"}
    kept = httpx.get(f"{dev['gateway_url']}/v1/customers/{changed['id']}", headers=headers)
    assert kept.status_code == 200
    assert kept.json()["profile"] == view["profile"]
    dev = terminal.dev
    terminal.ctrl_c(again)
    _nothing_is_left(terminal, dev)


def _nothing_is_left(terminal: Terminal, dev: dict[str, Any]) -> None:
    assert terminal.left() == []
    alive = [pid for pid in dev["pids"].values() if psutil.pid_exists(pid)]
    assert [pid for pid in alive if psutil.Process(pid).status() != psutil.STATUS_ZOMBIE] == []
    assert not terminal.dev_file.exists(), "dev.json names what does not run any more"


def test_a_taken_port_is_one_sentence(terminal: Terminal) -> None:
    import socket

    with socket.create_server(("127.0.0.1", terminal.port_base + 2)):
        started = terminal.make_run()
        output, errors = started.communicate(timeout=30)
    assert started.returncode == 1
    assert output == ""
    assert errors.count("\n") == 1, errors
    assert str(terminal.port_base + 2) in errors
    assert "PORT_BASE" in errors
    assert terminal.left() == []


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        ({"PORT_BASE": "eighty"}, "PORT_BASE"),
        ({"BUS": "pigeon"}, "BUS"),
        ({"BUS": "kafka"}, "KAFKA_BOOTSTRAP_SERVERS"),
        ({"RUN_DIR": "/dev/null/x"}, "RUN_DIR"),
    ],
)
def test_a_wrong_setting_is_one_sentence(terminal: Terminal, environment: dict[str, str], named: str) -> None:
    started = terminal.make_run(**environment)
    _output, errors = started.communicate(timeout=30)
    assert started.returncode == 1
    assert errors.count("\n") == 1, errors
    assert named in errors
