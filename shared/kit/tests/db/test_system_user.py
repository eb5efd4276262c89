"""Whose processes PostgreSQL's are, where root starts it."""

import os
import shutil
import subprocess
import sys

import pytest

_START = """
import os, time
from crm_kit.db.system_user import find_system_user
while not os.path.exists("/etc/go"):
    time.sleep(0.001)
print(find_system_user().uid)
"""
# In a mount namespace of its own, `/etc` is a copy without the user: several starts at once have to make it.
_FRESH_MACHINE = """
set -e
etc=$(mktemp -d)
mount -t tmpfs none "$etc"
cp -a /etc/. "$etc"
mount --bind "$etc" /etc
sed -i /^embedded_postgres:/d /etc/passwd /etc/shadow /etc/group /etc/gshadow
started=""
for n in 1 2 3 4 5 6; do
    "$0" -c "$1" >"$etc/found.$n" &
    started="$started $!"
done
sleep 0.5
touch /etc/go
for pid in $started; do wait "$pid"; done
cat "$etc"/found.*
id -u embedded_postgres
"""


def _may_mount() -> bool:
    unshare = shutil.which("unshare")
    command = [unshare or "", "-m", "mount", "-t", "tmpfs", "none", "/mnt"]
    return unshare is not None and subprocess.run(command, capture_output=True, check=False).returncode == 0


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes the user")
@pytest.mark.skipif(shutil.which("useradd") is None, reason="useradd is not installed")
def test_starts_at_once_on_a_fresh_machine_agree_on_one_user() -> None:
    if not _may_mount():
        pytest.skip("this machine lets nobody mount")
    command = ["unshare", "-m", "sh", "-c", _FRESH_MACHINE, sys.executable, _START]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    users = done.stdout.splitlines()
    assert len(users) == 7, done.stdout
    assert len(set(users)) == 1, "useradd gave the user another number while somebody already used the first"
