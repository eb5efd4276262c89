"""A published compliance suite, scim2-tester, over everything that the discovery endpoints announce."""

import asyncio
from collections.abc import Iterator
from itertools import count
from typing import Any, SupportsIndex
from uuid import uuid4

import httpx2
from crm_testkit.door import Door, Keyholder
from scim2_client.engines.httpx2 import SyncSCIMClient
from scim2_tester import CheckResult, Status, check_server

EXCUSED = {
    ("check_remove_attribute", "User", "active"): "a user is active or disabled and nothing beside: it stays as it was",
}


class _Addresses(list[str]):
    """The suite draws a random word for `userName`, unless the model has examples; here it is an address."""

    def __init__(self) -> None:
        super().__init__(["jing@example.com"])
        self._numbers: Iterator[int] = count(1)

    def __getitem__(self, index: SupportsIndex | slice) -> Any:
        return f"{uuid4().hex}@example.com"


def check(url: str, key: str) -> list[CheckResult]:
    with httpx2.Client(base_url=f"{url}/scim/v2", headers={"Authorization": f"Bearer {key}"}, trust_env=False) as http:
        client = SyncSCIMClient(http)
        client.discover()
        model = client.get_resource_model("User")
        assert model is not None
        model.model_fields["user_name"].examples = _Addresses()
        return check_server(client)


async def test_every_check_of_the_suite_passes(door: Door, tenant: Keyholder) -> None:
    results = await asyncio.to_thread(check, door.service.url, tenant.key)
    failed = {
        (
            str(result.title),
            str(result.resource_type),
            result.data["urn"] if _names_an_attribute(result) else "",
        ): result
        for result in results
        if result.status is not Status.SUCCESS
    }
    assert failed.keys() == EXCUSED.keys(), [(key, result.reason) for key, result in failed.items()]
    passed = {(result.title, result.resource_type) for result in results if result.status is Status.SUCCESS}
    for check_ in ("add", "remove", "replace"):
        assert {(f"check_{check_}_attribute", kind) for kind in ("User", "Group")} <= passed
    assert len(results) > 50


def _names_an_attribute(result: CheckResult) -> bool:
    return isinstance(result.data, dict) and "urn" in result.data
