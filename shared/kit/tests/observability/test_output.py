"""Lines of several processes at one standard output."""

import json
import subprocess
import sys

_PROGRAM = """
import multiprocessing, sys
from crm_kit.observability.output import OUTPUT
from crm_kit.siblings.memory import Guard

def write(name):
    for number in range(60):
        OUTPUT.write(('{"who": "%s", "text": "%s"}\\n' % (name, name * 9_000)).encode())
        OUTPUT.write('{"who": "%s"}\\n' % name)

OUTPUT.share(Guard())
forking = multiprocessing.get_context("fork")
started = [forking.Process(target=write, args=(name,)) for name in "abc"]
for process in started:
    process.start()
for process in started:
    process.join()
"""


def test_a_line_longer_than_a_pipe_takes_at_once_stays_whole() -> None:
    done = subprocess.run([sys.executable, "-c", _PROGRAM], capture_output=True, timeout=60, check=True)  # our own
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == 3 * 120
    assert all(line.get("text", line["who"]) in (line["who"], line["who"] * 9_000) for line in lines)
