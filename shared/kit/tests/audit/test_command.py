"""`python -m <service> audit verify`: what it prints, and with which code it ends."""

import asyncio
import logging
from argparse import ArgumentParser
from collections.abc import Iterator
from datetime import timedelta

import pytest
import structlog
from crm_kit.audit import command
from crm_kit.audit.sealer import AuditSealer
from crm_kit.settings import ServiceSettings
from crm_testkit.audit_chain import LENGTH, Chain, write_entries

parser = ArgumentParser()
command.add_arguments(parser)


async def run(chain: Chain, *arguments: str) -> int:
    urls = chain.parts.urls
    settings = ServiceSettings(database_url=urls.app, system_database_url=urls.system, secret="x" * 32)
    given = parser.parse_args(["verify", "--tenant", chain.tenant_id, *arguments])
    return await command.run("toy", settings, given)


async def test_a_whole_chain_is_said_to_be_so(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(chain) == 0
    head = (await chain.verify()).head
    assert capsys.readouterr().out == f"toy: {LENGTH} entries, 0 faults, head {head}\n"
    assert await run(chain, "--expect", head) == 0


async def test_each_fault_is_a_line(chain: Chain, capsys: pytest.CaptureFixture[str]) -> None:
    head = (await chain.verify()).head
    await chain.run(
        "delete from audit_entry where sequence = 2", "update audit_entry set action = 'x' where sequence = 5"
    )
    assert await run(chain, "--expect", head.replace(f":{LENGTH}:", f":{LENGTH - 1}:")) == 1
    lines = capsys.readouterr().out.splitlines()
    # A service of another test may log beside it.
    assert [tuple(line.split(": ")[2:4]) for line in lines[:-1] if line.count(": ") >= 3] == [
        ("2", "removed"),
        ("5", "altered"),
        ("7", "anchor"),
    ]
    assert lines[-1].startswith(f"toy: {LENGTH - 1} entries, 3 faults, head ")


@pytest.mark.parametrize(
    "given", ["", "x", "tenant_1:1", "tenant_1:x:" + "0" * 64, "tenant_1:1:" + "z" * 64, ":1:" + "0" * 64]
)
def test_what_is_no_anchor_is_refused(given: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parser.parse_args(["verify", "--expect", given])
    assert "is not TENANT:SEQUENCE:HASH" in capsys.readouterr().err


@pytest.fixture
def informed() -> Iterator[None]:
    """Logs from INFO on, as in production."""
    usual = structlog.get_config()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    structlog.configure(**usual)


@pytest.mark.usefixtures("informed")
async def test_heads_that_moved_are_logged_for_whoever_keeps_them(chain: Chain) -> None:
    """The last lines of a sealer that ends name the heads, and these lines are anchors."""
    sealer = AuditSealer(chain.parts.system, "toy", timedelta(days=365))
    await write_entries(chain.parts, chain.tenant_id, 2)
    with structlog.testing.capture_logs() as logs:
        running = asyncio.create_task(sealer.run())
        async with asyncio.timeout(10):
            while len(await chain.rows()) < LENGTH + 2:
                await asyncio.sleep(0.05)
        running.cancel()
        await asyncio.wait([running])
    anchors = [line["anchor"] for line in logs if line["event"] == "audit_anchor"]
    assert (await chain.verify()).head in anchors
