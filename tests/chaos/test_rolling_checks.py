"""What a rehearsal of an upgrade takes for a fault, by itself: without a stack."""

import httpx
import pytest
from crm_testkit.customer_world import World
from crm_testkit.rolling.integrator import untold
from crm_testkit.rolling.visitors import Asked


def _told(subject: str, *sequences: int) -> list[dict[str, str]]:
    return [{"subject": subject, "sequence": str(sequence)} for sequence in sequences]


def test_a_webhook_that_is_missing_or_out_of_order_is_told() -> None:
    world = World("tenant_01jd3zq8w9e2vbx7k5m4n6p8qr")
    contact = world.create("contact")["id"]
    world.update(contact, title="经理")
    events = [event for _, event in world.events]
    assert list(untold(events, _told(contact, 1, 2))) == []
    assert list(untold(events, _told(contact, 1, 1, 2, 1))) == [], "at least once is what is promised"
    assert list(untold(events, _told(contact, 1))) == [f"no webhook told of {contact} at 2"]
    assert list(untold(events, _told(contact, 2, 1))) == [f"webhooks told of {contact} in the order [2, 1]"]


@pytest.mark.parametrize(
    ("status", "may_refuse", "is_fault"),
    [
        *((200, False, False), (404, False, False), (403, False, True), (403, True, False)),
        *((500, True, True), (503, True, True), (0, True, True)),
    ],
)
async def test_whatever_is_not_answered_or_by_an_error_of_ours_is_a_fault(
    status: int, may_refuse: bool, is_fault: bool
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if status == 0:
            raise httpx.ReadError("cut off", request=request)
        return httpx.Response(status)

    asked = Asked()
    async with httpx.AsyncClient(transport=httpx.MockTransport(answer), base_url="http://gateway") as client:
        await asked.ask(client, "GET", "/v1/contacts", may_refuse=may_refuse)
    assert bool(asked.faults) == is_fault
