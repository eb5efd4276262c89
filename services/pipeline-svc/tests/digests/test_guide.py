"""What the guide on reconciliation shows is what happens, in a shell and in Python too."""

import asyncio
import re
from decimal import Decimal
from typing import Any

from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import ServiceUnderTest


async def printed_by(command: str) -> str:
    """Its first word."""
    process = await asyncio.create_subprocess_shell(command, stdout=asyncio.subprocess.PIPE)
    printed, _ = await process.communicate()
    assert process.returncode == 0
    return printed.decode().split()[0]


async def test_what_the_guide_computes_is_what_is_answered(service: ServiceUnderTest) -> None:
    tenant, text = service.tenant(), guide("reconciliation.md")
    [shell] = re.findall(r"```sh\n(.*?)```", text, re.S)
    [python] = re.findall(r"```python\n(.*?)```", text, re.S)
    for external_id, amount, status in (("1001", "1999.00", "paid"), ("1002", "0.50", "pending")):
        await tenant.create(
            "/v1/orders",
            source="shop",
            external_id=external_id,
            status=status,
            total={"amount": amount, "currency": "CNY"},
            placed_at="2026-09-30T20:00:00Z",
        )
    told = list(examples(text))
    assert len(told) == 2
    shown = await tried(tenant.client, told[0])
    [found] = shown["data"]
    assert await printed_by(shell) == found["hash"]
    names: dict[str, Any] = {}
    exec(python, names)  # the guide's own words
    records = [["1001", Decimal("1999.00"), "CNY", "paid"], ["1002", Decimal("0.50"), "CNY", "pending"]]
    assert names["digest"](records) == found["hash"]
    page = await tried(tenant.client, told[1])
    [first] = page["data"]
    assert first["hash"] == names["digest"]([next(one for one in records if one[0] == first["external_id"])])
    assert page["next_cursor"]
