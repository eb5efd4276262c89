"""Clients that public generators make of /openapi.json: they type-check, and make the README's five calls."""

import asyncio
import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import pytest_asyncio
from crm_testkit.whole_stack import Relata

_BIN = Path(sys.executable).parent

_FIVE_CALLS = '''
"""The README's five calls, with every type that the generator gave."""

import sys

from relata_client import AuthenticatedClient
from relata_client.api.contacts import create_contact, search_contacts, update_contact
from relata_client.api.customers import get_customer
from relata_client.api.deals import create_deal
from relata_client.models import (
    Contact,
    ContactCondition,
    ContactConditionOp,
    ContactPatch,
    ContactSearch,
    ContactWrite,
    ContactWriteCustom,
    ContactWriteExternalIds,
    CustomerView,
    Deal,
    DealWrite,
    EmailWrite,
    Money,
    MoneyCurrency,
    PageContact,
    PhoneWrite,
    Problem,
)

client = AuthenticatedClient(base_url=sys.argv[1], token=sys.argv[2], raise_on_unexpected_status=True)

custom = ContactWriteCustom.from_dict({"favourite_colour": "青"})
contact = create_contact.sync(
    client=client,
    body=ContactWrite(
        full_name="欧阳晓梅",
        emails=[EmailWrite(address="xiaomei@example.com")],
        phones=[PhoneWrite(number="138 0013 8000")],
        external_ids=ContactWriteExternalIds.from_dict({"erp": "K-1"}),
        custom=custom,
    ),
)
assert isinstance(contact, Contact), contact
assert contact.phones and contact.phones[0].number == "+8613800138000"
assert contact.custom and contact.custom.to_dict() == {"favourite_colour": "青"}

deal = create_deal.sync(
    client=client,
    body=DealWrite(
        name="年度框架", contact_id=contact.id, amount=Money(amount="128000.00", currency=MoneyCurrency.CNY)
    ),
)
assert isinstance(deal, Deal), deal

changed = update_contact.sync_detailed(contact.id, client=client, body=ContactPatch(title="采购经理"))
assert isinstance(changed.parsed, Contact), changed
assert changed.parsed.title == "采购经理"
token = changed.headers["Consistency-Token"]

view = get_customer.sync(contact.id, client=client, consistency_token=token)
assert isinstance(view, CustomerView), view
assert isinstance(view.profile, Contact), view
assert view.profile.title == "采购经理"

where = ContactCondition(all_=[ContactCondition(field="phone", op=ContactConditionOp.EQ, value="+8613800138000")])
page = search_contacts.sync(client=client, body=ContactSearch(where=where))
assert isinstance(page, PageContact), page
assert [found.id for found in page.data] == [contact.id]

missing = get_customer.sync("contact_01jd3zq8w9e2vbx7k5m4n6p8qr", client=client)
assert isinstance(missing, Problem), missing
assert missing.code == "not_found"
'''

# The generator's own runtime passes *args to httpx untyped; what it makes of our document is held to everything.
_MYPY = """
[mypy]
strict = True
[mypy-relata_client.client]
disable_error_code = arg-type
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def document(on_embedded: Relata, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The live document in a folder of its own."""
    file = tmp_path_factory.mktemp("client") / "openapi.json"
    file.write_bytes((await on_embedded.client.get("/openapi.json")).content)
    return file


async def _run(*command: str, folder: Path, seconds: float = 240) -> str:
    environment = {**os.environ, "PATH": f"{_BIN}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}
    process = await asyncio.create_subprocess_exec(
        *command,
        cwd=folder,
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await asyncio.wait_for(process.communicate(), seconds)
    assert process.returncode == 0, f"{' '.join(command[:4])}:\n{output.decode()}"
    return output.decode()


async def test_a_python_client_type_checks_and_makes_the_five_calls(on_embedded: Relata, document: Path) -> None:
    folder = document.parent
    # --fail-on-warning: a warning is an operation or a schema that the generator left out.
    generate = ["generate", "--path", "openapi.json", "--output-path", "relata_client", "--meta", "none"]
    await _run("openapi-python-client", *generate, "--fail-on-warning", folder=folder)
    operations = json.loads(document.read_text())["paths"]
    made = [file for file in (folder / "relata_client" / "api").glob("*/*.py") if file.name != "__init__.py"]
    assert len(made) == sum(
        method in ("get", "post", "put", "patch", "delete") for item in operations.values() for method in item
    )
    (folder / "five_calls.py").write_text(_FIVE_CALLS)
    (folder / "mypy.ini").write_text(_MYPY)
    await _run("mypy", "--config-file", "mypy.ini", "relata_client", "five_calls.py", folder=folder)
    key = await on_embedded.new_tenant_key("Generated client")
    await _run(sys.executable, "five_calls.py", on_embedded.gateway_url, key, folder=folder)


_TYPESCRIPT = """
import createClient from "openapi-fetch";
import type { components, paths } from "./relata.js";

type Patch = NonNullable<paths["/v1/contacts/{entity_id}"]["patch"]["requestBody"]>["content"]["application/json"];

export const patch: Patch = { title: null, custom: { favourite_colour: null }, address: { city: "杭州" } };
// @ts-expect-error an amount is a string, never a float
export const wrong: components["schemas"]["Money"] = { amount: 1999, currency: "CNY" };

declare const process: { argv: string[]; exitCode: number };
const client = createClient<paths>({
  baseUrl: process.argv[2]!,
  headers: { Authorization: `Bearer ${process.argv[3]!}` },
});

const created = await client.POST("/v1/contacts", {
  body: {
    full_name: "欧阳晓梅",
    emails: [{ address: "xiaomei@example.com" }],
    phones: [{ number: "138 0013 8000" }],
  },
});
const contact: components["schemas"]["Contact"] = created.data!;
const deal = await client.POST("/v1/deals", {
  body: { name: "年度框架", contact_id: contact.id, amount: { amount: "128000.00", currency: "CNY" } },
});
const changed = await client.PATCH("/v1/contacts/{entity_id}", {
  params: { path: { entity_id: contact.id } },
  body: { title: "采购经理" },
});
const view = await client.GET("/v1/customers/{customer_id}", {
  params: {
    path: { customer_id: contact.id },
    header: { "Consistency-Token": changed.response.headers.get("Consistency-Token")! },
  },
});
const found = await client.POST("/v1/contacts/search", {
  body: { where: { all: [{ field: "phone", op: "eq", value: "+8613800138000" }] } },
});
const profile = view.data?.profile;
const right =
  deal.data?.amount?.amount === "128000.00" &&
  profile !== undefined &&
  "title" in profile &&
  profile.title === "采购经理" &&
  found.data?.data.map((each) => each.id).join() === contact.id;
process.exitCode = right ? 0 : 1;
"""


async def test_a_typescript_client_compiles_strictly_and_makes_the_five_calls(
    on_embedded: Relata, document: Path
) -> None:
    npm, node = shutil.which("npm"), shutil.which("node")
    if npm is None or node is None:
        pytest.skip("there is no npm")
    folder = document.parent / "typescript"
    folder.mkdir()
    packages = ("openapi-typescript@7", "openapi-fetch@0.17", "typescript@5")
    try:
        quiet = ("--no-audit", "--no-fund", "--silent", "--ignore-scripts")
        await _run(npm, "install", *quiet, *packages, folder=folder, seconds=90)
    except (AssertionError, TimeoutError) as error:
        pytest.skip(f"npm cannot install here: {str(error)[-200:]}")
    modules = folder / "node_modules"
    generate = (str(modules / "openapi-typescript" / "bin" / "cli.js"), "../openapi.json", "-o", "relata.ts")
    await _run(node, *generate, folder=folder)
    (folder / "five_calls.mts").write_text(_TYPESCRIPT)
    strict = ("--strict", "--exactOptionalPropertyTypes", "--noUncheckedIndexedAccess")
    modern = ("--target", "es2022", "--module", "nodenext", "--lib", "es2022,dom")
    await _run(node, str(modules / "typescript" / "bin" / "tsc"), *strict, *modern, "five_calls.mts", folder=folder)
    key = await on_embedded.new_tenant_key("TypeScript client")
    await _run(node, "five_calls.mjs", on_embedded.gateway_url, key, folder=folder)
