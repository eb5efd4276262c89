"""What we send, for JavaScript's libraries: `standardwebhooks` and `svix` of the npm registry verify it, and nothing else."""

import asyncio
import base64
import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from crm_kit.http.standard_webhooks import new_secret
from crm_testkit.stand_in import Asked
from crm_testkit.webhooks import Hooks, place, until

_PACKAGES = ("standardwebhooks@1.1.1", "svix@2.5.0")
_QUIET = ("--ignore-scripts", "--no-audit", "--no-fund", "--no-package-lock", "--silent")
# Each case is looked at by both libraries, at a moment that many seconds from now.
_SCRIPT = """
import { readFileSync } from "node:fs";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
const now = Date.now;
const verdict = (Webhook, secret, body, headers) => {
  try {
    new Webhook(secret).verify(Buffer.from(body, "base64").toString("utf8"), headers);
    return "verified";
  } catch (error) {
    return error.name;
  }
};
console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(({ secret, headers, body, later }) => {
  Date.now = () => now() + later * 1000;
  return [Standard, Svix].map((Webhook) => verdict(Webhook, secret, body, headers));
})));
"""
_VERIFIED, _REFUSED = ["verified"] * 2, ["WebhookVerificationError"] * 2


async def _run(*command: str, folder: Path, given: bytes = b"", seconds: float = 120) -> bytes:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(given), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    assert process.returncode == 0, output.decode(errors="replace")
    return output


@pytest.fixture
async def folder(tmp_path: Path) -> Path:
    """Where both libraries are, of exact versions; nothing of theirs is run while they are installed."""
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("there is no npm")
    try:
        await _run(npm, "install", *_QUIET, *_PACKAGES, folder=tmp_path)
    except (AssertionError, TimeoutError) as error:
        pytest.skip(f"npm cannot install here: {str(error)[-200:]}")
    (tmp_path / "verify.mjs").write_text(_SCRIPT)
    return tmp_path


def _case(secret: str, asked: Asked, *, body: bytes | None = None, later: int = 0, **headers: str) -> dict[str, Any]:
    signed = {name: asked.headers[name] for name in ("webhook-id", "webhook-timestamp", "webhook-signature")}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    sent = base64.b64encode(asked.body if body is None else body).decode()
    return {"secret": secret, "headers": signed | named, "body": sent, "later": later}


async def _verdicts(folder: Path, *cases: dict[str, Any]) -> list[list[str]]:
    output = await _run("node", "verify.mjs", folder=folder, given=json.dumps(cases).encode())
    found: list[list[str]] = json.loads(output)
    return found


async def _sent(hooks: Hooks, name: str, signatures: int) -> Asked:
    """The first request about a team of its own that has so many signatures: what is known of an endpoint may be a second old."""
    latest: list[Asked] = []

    async def as_wanted() -> bool:
        hooks.receiver.asked.clear()
        await hooks.team(name)
        await hooks.arrived(1)
        latest[:] = hooks.receiver.asked[-1:]
        return len(latest[0].headers["webhook-signature"].split()) == signatures

    await until(as_wanted)
    return latest[0]


async def test_they_verify_what_we_send_and_refuse_what_is_altered_late_or_another_s(
    hooks: Hooks, folder: Path
) -> None:
    made = await hooks.subscribe()
    secret = made["secret"]
    asked = await _sent(hooks, "销售一部", 1)
    verdicts = await _verdicts(
        folder,
        _case(secret, asked),
        _case(secret, asked, later=290),
        _case(secret, asked, later=-290),
        _case(secret, asked, later=310),
        _case(secret, asked, later=-310),
        _case(secret, asked, body=asked.body + b" "),
        _case(secret, asked, body=asked.body.replace(b"created", b"deleted")),
        _case(secret, asked, webhook_id="event_of_another"),
        _case(secret, asked, webhook_timestamp=str(int(asked.headers["webhook-timestamp"]) + 1)),
        _case(new_secret(), asked),
    )
    assert verdicts == [_VERIFIED] * 3 + [_REFUSED] * 7


async def test_they_verify_by_the_old_and_the_new_secret_while_it_rotates(hooks: Hooks, folder: Path) -> None:
    made = await hooks.subscribe()
    rotated = await hooks.post(f"{place(made)}/rotate-secret", 200, {"overlap_seconds": 3600})
    during = await _sent(hooks, "一", 2)
    last = await hooks.post(f"{place(made)}/rotate-secret", 200, {"overlap_seconds": 0})
    behind = await _sent(hooks, "二", 1)
    secrets = [one["secret"] for one in (made, rotated, last)]
    assert len(set(secrets)) == 3
    verdicts = await _verdicts(
        folder, *(_case(secret, during) for secret in secrets), *(_case(secret, behind) for secret in secrets)
    )
    assert verdicts == [_VERIFIED, _VERIFIED, _REFUSED, _REFUSED, _REFUSED, _VERIFIED]
