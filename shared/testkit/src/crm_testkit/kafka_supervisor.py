"""The process between tests and a broker: it ends the broker when nobody holds a lease on it any more.

`python -m crm_testkit.kafka_supervisor run FOLDER` runs the command in FOLDER/command.json. Users of the broker hold a
shared lock on FOLDER/lease, which the kernel drops however they end; when nobody holds one, the broker is ended.
`python -m crm_testkit.kafka_supervisor mock FOLDER` is librdkafka's mock cluster.
"""

import contextlib
import fcntl
import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType

from crm_kit.db.processes import end_with_parent

_LOOK_EVERY = 0.2


def run(folder: Path) -> None:
    """Run the broker until it ends, SIGTERM comes, or the last lease is gone."""
    stopping = False

    def on_signal(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for signum in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signum, on_signal)
    command = json.loads((folder / "command.json").read_text())
    with (folder / "broker.log").open("ab") as log, (folder / "lease").open("a") as lease:
        broker = subprocess.Popen(
            command["run"],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=end_with_parent(signal.SIGKILL),  # noqa: PLW1509  # makes one system call only
        )
        (folder / "broker.pid").write_text(str(broker.pid))
        orphaned = False
        while broker.poll() is None and not stopping and not orphaned:
            time.sleep(_LOOK_EVERY)
            with contextlib.suppress(BlockingIOError):
                fcntl.flock(lease, fcntl.LOCK_EX | fcntl.LOCK_NB)
                orphaned = True  # keeps the lock: a newcomer waits until this broker is gone
                (folder / "broker.json").unlink(missing_ok=True)
        _end(broker, command["stop"], patience=0.0 if orphaned else 15.0)
        (folder / "broker.pid").unlink(missing_ok=True)


def _end(broker: subprocess.Popen[bytes], stop: list[str], *, patience: float) -> None:
    if stop:
        subprocess.run(stop, check=False, capture_output=True)
    broker.terminate()
    try:
        broker.wait(patience)
    except subprocess.TimeoutExpired:
        broker.kill()
        broker.wait()


def mock(folder: Path) -> None:
    """librdkafka's mock cluster; its address goes to FOLDER/mock.address."""
    from confluent_kafka import Producer  # only this mode needs it

    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "test.mock.num.brokers": 1, "log_level": 0})
    brokers = producer.list_topics(timeout=10).brokers.values()
    (folder / "mock.address.new").write_text(",".join(f"{broker.host}:{broker.port}" for broker in brokers))
    (folder / "mock.address.new").rename(folder / "mock.address")
    signal.pause()


if __name__ == "__main__":
    {"run": run, "mock": mock}[sys.argv[1]](Path(sys.argv[2]))
