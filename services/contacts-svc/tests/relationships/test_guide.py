"""What the guide shows is what happens."""

from collections.abc import Awaitable, Callable

from crm_testkit.guides import examples, guide, tried
from crm_testkit.service import Tenant

Made = Callable[[str], Awaitable[str]]


async def test_every_example_is_answered_as_it_says(tenant: Tenant, person: Made, company: Made) -> None:
    known = {"MEI": await person("欧阳晓梅"), "WEI": await person("王伟")}
    known |= {name: await company(name) for name in ("YUNFAN", "HANGZHOU")}
    told = list(examples(guide("relationships.md")))
    assert len(told) == 6
    for example in told:
        await tried(tenant.client, example, known)
