"""What the guide shows is what happens."""

import re

from contacts_svc.features.import_columns.rules import is_target, targets
from crm_testkit.guides import examples, guide, tried
from crm_testkit.importing import imported
from crm_testkit.jobs import ended
from crm_testkit.service import ServiceUnderTest

GUIDE = guide("importing.md")


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    content = "姓名,邮箱,备注\n王伟,w@x.com,经理\n".encode()
    made = await imported(tenant.client, content, dry_run=True)
    told = list(examples(GUIDE))
    assert len(told) == 2
    for example in told:
        await tried(tenant.client, example, {"import_…": made["id"]})
        await ended(tenant.client, f"/v1/imports/{made['id']}")


def test_every_meaning_is_named() -> None:
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", GUIDE)) | {
        f"address{part}" for part in re.findall(r"`(\.[a-z_]+)`", GUIDE)
    }
    assert set(targets("contacts")) <= named
    assert {target for target in named if target.startswith("parent.")} <= {
        target for target in targets("accounts") if is_target("accounts", target)
    }
    assert {"industry", "size", "domain", "name"} <= named
