"""What migrations say to PostgreSQL, statement by statement, and what Squawk (squawkhq.com) finds in it."""

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, event

_MATTERS_OF_STYLE: Final = (
    "prefer-bigint-over-int",
    "prefer-bigint-over-smallint",
    "prefer-identity",
    "prefer-robust-stmts",
    "prefer-text-field",
    "prefer-timestamptz",
    "ban-char-field",
)
_LEFT_TO_THE_JOB: Final = ("require-statement-timeout",)
"""A migration is bounded by the deadline of the job that runs it: a limit for each statement would end the building of an
index, which holds up nobody's reading."""


_HELD: Final = """
select relation::regclass::text, mode from pg_locks
 where pid = pg_backend_pid() and locktype = 'relation' and mode in ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock',
                                                                    'AccessExclusiveLock')
"""


class Recorded:
    """`statements`, and the tables of which a lock that stops writers was held when a stronger one was asked for.

    A writer that has read such a table waits for the one, and is waited for by the other: a deadlock.
    """

    def __init__(self) -> None:
        self.statements: list[str] = []
        self.raised: set[str] = set()
        self._stopped: set[str] = set()
        self._closed: set[str] = set()

    def before(self, _connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        self.statements.append(statement.strip().rstrip(";"))

    def after(self, connection: Connection, *_: Any) -> None:
        cursor = connection.connection.cursor()  # past SQLAlchemy, which would tell of this one too
        cursor.execute(_HELD)
        held = cursor.fetchall()
        closed = {table for table, mode in held if mode == "AccessExclusiveLock"}
        self.raised |= (closed - self._closed) & self._stopped
        self._closed |= closed
        self._stopped |= {table for table, mode in held if mode != "AccessExclusiveLock"} - closed


@contextmanager
def recorded(connection: Connection) -> Iterator[Recorded]:
    """What is executed while the block lasts."""
    found = Recorded()
    event.listen(connection, "before_cursor_execute", found.before)
    event.listen(connection, "after_cursor_execute", found.after)
    try:
        yield found
    finally:
        event.remove(connection, "before_cursor_execute", found.before)
        event.remove(connection, "after_cursor_execute", found.after)


def faults_of(statements: Mapping[str, Sequence[str]], folder: Path) -> dict[str, list[str]]:
    """By migration the names of Squawk's rules that it breaks, each as often as it does. `folder` is for its files."""
    for name, said in statements.items():
        (folder / f"{name}.sql").write_text("".join(f"{each};\n" for each in said), encoding="utf-8")
    ignored = ",".join((*_MATTERS_OF_STYLE, *_LEFT_TO_THE_JOB))
    command = (str(Path(sys.executable).with_name("squawk")), "--assume-in-transaction", "--reporter", "json")
    files = [str(folder / f"{name}.sql") for name in statements]
    done = subprocess.run(
        [*command, "--exclude", ignored, *files], capture_output=True, text=True, check=False, cwd=folder
    )
    if not done.stdout.strip():
        raise RuntimeError(f"squawk has said nothing: {done.stderr}")
    found: dict[str, list[str]] = {name: [] for name in statements}
    for one in json.loads(done.stdout):
        found[Path(one["file"]).stem].append(str(one["rule_name"]))
    return found
