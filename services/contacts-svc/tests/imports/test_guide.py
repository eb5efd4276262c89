"""What the guide shows is what happens."""

import json
import re
from pathlib import Path

from contacts_svc.features.import_columns.rules import is_target, targets
from crm_testkit.importing import ended, imported
from crm_testkit.service import ServiceUnderTest

GUIDE = (Path(__file__).parents[4] / "docs/guides/importing.md").read_text(encoding="utf-8")
EXAMPLE = re.compile(r"```http\n(\S+) (\S+)\n(.*?)\n\nHTTP/1.1 (\d+)\n(.*?)\n```", re.S)


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    content = "姓名,邮箱,备注\n王伟,w@x.com,经理\n".encode()
    made = await imported(tenant.client, content, dry_run=True)
    examples = EXAMPLE.findall(GUIDE)
    assert len(examples) == 2
    for method, path, body, status, told in examples:
        answer = await tenant.client.request(method, path.replace("import_…", made["id"]), json=json.loads(body))
        assert answer.status_code == int(status), answer.text
        shown = answer.json()
        expected = json.loads(told)
        assert {name: shown[name] for name in expected} == expected
        await ended(tenant.client, made["id"])


def test_every_meaning_is_named() -> None:
    named = set(re.findall(r"`([a-z_]+(?:\.[a-z_]+)?)`", GUIDE)) | {
        f"address{part}" for part in re.findall(r"`(\.[a-z_]+)`", GUIDE)
    }
    assert set(targets("contacts")) <= named
    assert {target for target in named if target.startswith("parent.")} <= {
        target for target in targets("accounts") if is_target("accounts", target)
    }
    assert {"industry", "size", "domain", "name"} <= named
