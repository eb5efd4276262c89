"""Verifies the audit logs of the whole stack: each service's own command, against its own database."""

import subprocess
import sys
from collections.abc import Sequence

from crm_kit.db.running import find_running

from crm_local.backup import one_sentence, running_server
from crm_local.configuration import MODULES, Configuration
from crm_local.errors import StackError
from crm_local.run_folder import RunFolder
from crm_local.stack import LocalStack


def verify_audit(configuration: Configuration, expected: Sequence[str] = ()) -> int:
    """The exit code: 0 where no service has found a fault; each has printed what it found.

    The stack may run or not. `expected`: `<service>/<anchor>`, heads that an earlier run has printed.
    Raises StackError, OSError.
    """
    folder = RunFolder(configuration.run_dir.absolute())
    if not (folder.postgres.is_dir() and folder.secrets.is_dir()):
        raise StackError(f"{folder.path} holds no stack: set RUN_DIR to the folder of the one to verify")
    for anchor in expected:
        if anchor.partition("/")[0] not in MODULES:
            raise StackError(f"{anchor!r} is not SERVICE/TENANT:SEQUENCE:HASH")
    code = 0
    with running_server(folder):
        with one_sentence():
            server_url = find_running(folder.postgres).superuser_url()
        stack = LocalStack(configuration)
        for name, module in MODULES.items():
            anchors = [given.partition("/")[2] for given in expected if given.startswith(f"{name}/")]
            options = [option for anchor in anchors for option in ("--expect", anchor)]
            done = subprocess.run(  # noqa: S603 our own command
                [sys.executable, "-m", module, "audit", "verify", *options],
                env=stack.environment_of(name, server_url),
                stdin=subprocess.DEVNULL,
                check=False,
            )
            code = max(code, abs(done.returncode))
    return code
