"""`relata run`: start everything, tell how to use it, supervise it until Ctrl-C; its backup; and `relata listen`."""

import argparse
import asyncio
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from crm_local import tenants
from crm_local.backup import back_up, restore
from crm_local.beside import examine, verify_audit
from crm_local.configuration import Configuration, read_configuration
from crm_local.errors import StackError
from crm_local.listen import Listening, listen
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack

_VERBS = {
    "run": "run",
    "demo": "run",
    "backup": "back up",
    "restore": "restore",
    "audit-verify": "verify the audit log",
    "doctor": "examine the stack",
    "listen": "listen",
    **tenants.VERBS,
}


def _say(line: str) -> None:
    # Neither a terminal without Unicode nor a reader that went away may end the supervision.
    with suppress(BrokenPipeError):
        sys.stdout.buffer.write(f"{line}\n".encode(sys.stdout.encoding, "replace"))
        sys.stdout.buffer.flush()


def _welcome(stack: LocalStack) -> str:
    dev = stack.dev
    addresses = "\n".join(f"  {name:<10} {url}" for name, url in stack.urls.items())
    return f"""
Relata runs. Ctrl-C stops it; the next start finds its data again.

{addresses}
  docs       {dev["gateway_url"]}/docs
  API key    {dev["api_key"]}
  files      {stack.folder.path} (dev.json, logs/)

Try it:

  curl -s {dev["gateway_url"]}/v1/contacts \\
    -H 'Authorization: Bearer {dev["api_key"]}' \\
    -H 'Content-Type: application/json' \\
    -d '{{"full_name": "欧阳晓梅", "emails": [{{"address": "xiaomei@example.com", "primary": true}}]}}'
"""


def _sign_in(dev: Mapping[str, object]) -> str:
    return f"""A token of whom you like, for an hour, in any role of {dev["gateway_url"]}/v1/roles/ready:

  curl -s {dev["gateway_url"]}/development/issuer/token -d roles=sales_manager \\
    -d audience={dev["tenant_id"]} -d email=jing@example.com --data-urlencode 'name=陈静'
"""


async def _run(stack: LocalStack) -> int:
    asked = asyncio.Event()

    def ask() -> None:
        if asked.is_set():  # the second Ctrl-C: at once
            stack.kill_all()
        asked.set()

    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signum != signal.SIGHUP or signal.getsignal(signum) != signal.SIG_IGN:  # nohup ignores it
            asyncio.get_running_loop().add_signal_handler(signum, ask)
    work, stop = asyncio.create_task(_work(stack)), asyncio.create_task(asked.wait())
    try:
        await asyncio.wait((work, stop), return_when=asyncio.FIRST_COMPLETED)
        if not asked.is_set():
            await work
        _say("Stopping …")
    finally:
        work.cancel()
        stop.cancel()
        await asyncio.gather(work, stop, return_exceptions=True)
        await stack.stop()
    return 0


async def _work(stack: LocalStack) -> None:
    await stack.start()
    _say(_welcome(stack))
    if await stack.offer_sign_in():
        _say(_sign_in(stack.dev))
    await stack.wait()


def _make(configuration: Configuration, say: Callable[[str], None]) -> LocalStack:
    return LocalStack(configuration, say=say)


def _demo(configuration: Configuration, chosen: argparse.Namespace) -> int:
    # Imported here: `run` starts without what only the demo needs.
    from rich.console import Console

    from crm_local.demo.play import play_demo

    with temporary_run_dir() as folder:
        fresh = replace(configuration, run_dir=folder, port_base=None)
        console = Console()
        return asyncio.run(
            play_demo(fresh, people=chosen.people, seed=chosen.seed, output=chosen.output, console=console)
        )


def _backup(configuration: Configuration, target: Path) -> int:
    back_up(configuration, target)
    _say(
        f"{configuration.run_dir} is backed up, and verified, in {target}. It holds secrets: keep it as they are kept."
    )
    return 0


def _restore(configuration: Configuration, source: Path) -> int:
    restore(configuration, source)
    _say(f"{configuration.run_dir} holds what {source} held; the next start finds it.")
    return 0


def _listen(configuration: Configuration, chosen: argparse.Namespace) -> int:
    """Raises StackError."""
    dev: dict[str, str] = {}
    if not (chosen.gateway and (chosen.key or os.environ.get("RELATA_KEY"))):
        try:
            dev = json.loads((configuration.run_dir / "dev.json").read_text())
        except OSError:
            raise StackError("no stack runs here: start one with make run, or give --gateway and --key") from None
    what = Listening(
        gateway_url=chosen.gateway or dev["gateway_url"],
        key=chosen.key or os.environ.get("RELATA_KEY") or dev["api_key"],
        to=chosen.to,
        kinds=chosen.kinds,
        after=chosen.after,
    )
    with suppress(KeyboardInterrupt):
        asyncio.run(listen(what, _say))
    return 0


def _done(
    configuration: Configuration,
    chosen: argparse.Namespace,
    make: Callable[[Configuration, Callable[[str], None]], LocalStack],
) -> int:
    """The exit code. Raises StackError, OSError."""
    match chosen.command:
        case "listen":
            return _listen(configuration, chosen)
        case "demo":
            return _demo(configuration, chosen)
        case "backup":
            return _backup(configuration, chosen.folder.absolute())
        case "restore":
            return _restore(configuration, chosen.folder.absolute())
        case "doctor":
            return examine(configuration, _say)
        case "audit-verify":
            return verify_audit(configuration, chosen.expect)
        case "run":
            return asyncio.run(_run(make(configuration, _say)))
        case _:
            return tenants.on_tenant(configuration, chosen, _say)


def main(
    arguments: list[str] | None = None,
    make: Callable[[Configuration, Callable[[str], None]], LocalStack] = _make,
) -> int:
    """The exit code: 0 when all is done or after Ctrl-C or SIGTERM, 1 with one sentence on the standard error output."""
    parser = argparse.ArgumentParser(prog="python -m crm_local", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("run", help="start the embedded stack and supervise it")
    demo = commands.add_parser("demo", help="play a small company's week on a fresh stack, show one customer")
    demo.add_argument("--people", type=int, default=300, help="how many contacts (default 300)")
    demo.add_argument("--seed", type=int, default=7, help="the same seed gives the same week")
    demo.add_argument("--output", type=Path, default=Path(".run-demo-view.json"), help="where the view's JSON goes")
    backup = commands.add_parser("backup", help="write the stack of RUN_DIR, running or not, to a new folder")
    backup.add_argument("folder", type=Path, metavar="TARGET")
    restoring = commands.add_parser("restore", help="write a backup into RUN_DIR, which must be empty")
    restoring.add_argument("folder", type=Path, metavar="SOURCE")
    verifying = commands.add_parser("audit-verify", help="check the audit logs of the stack of RUN_DIR, running or not")
    verifying.add_argument("--expect", action="append", default=[], metavar="SERVICE/TENANT:SEQUENCE:HASH")
    commands.add_parser("doctor", help="look at all that the stack of RUN_DIR stands on, running or not")
    tenants.add_arguments(commands.add_parser)
    listening = commands.add_parser("listen", help="forward events to a receiver on this machine, as webhooks")
    listening.add_argument("to", metavar="URL", help="where, such as http://127.0.0.1:3000/hooks")
    listening.add_argument("--kinds", nargs="+", default=["*"], help="such as order.* contact.created (default: all)")
    listening.add_argument("--after", help="where to begin: a cursor, beginning or snapshot (default: now)")
    listening.add_argument("--gateway", help="the gateway's URL (default: that of RUN_DIR)")
    listening.add_argument("--key", help="an API key (default: that of RUN_DIR); better RELATA_KEY in the environment")
    chosen = parser.parse_args(arguments)
    try:
        configuration = read_configuration(os.environ)
        return _done(configuration, chosen, make)
    except KeyboardInterrupt:
        return 130
    except StackError as error:
        sys.stderr.write(f"Relata cannot {_VERBS[chosen.command]}: {error}\n")
    except OSError as error:
        sys.stderr.write(
            f"Relata cannot {_VERBS[chosen.command]}: {error.filename or 'the system'}: {error.strerror or error}\n"
        )
    return 1


if __name__ == "__main__":
    sys.exit(main())
