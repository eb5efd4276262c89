"""What rights cost: `python benchmarks/rights.py`.

A list of one salesperson's contacts, and of a team's, among a million; and a customer's view for a restricted role, in
turns with the same for who may see everything.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Mapping

import asyncpg
import httpx
from crm_local.configuration import Configuration
from crm_local.run_folder import temporary_run_dir
from crm_local.stack import LocalStack
from crm_testkit.whole_stack import new_tenant
from load import drive, percentile, request_bytes

ROLES = {
    "all in clear": {"records": "all", "fields": dict.fromkeys(("open", "personal", "commercial", "private"), "write")},
    "one's own": {"records": "own", "fields": {"open": "read", "personal": "read", "commercial": "read"}},
    "all, masked": {"records": "all", "fields": {"open": "read", "personal": "masked"}},
}
LISTS = {
    "newest 50": "/v1/contacts",
    "newest 50 of a stage": "/v1/contacts?lifecycle_stage=customer",
    "by name": "/v1/contacts?sort=full_name",
}

_COPY = """
    insert into contact (tenant_id, id, version, created_at, updated_at, full_name, emails, email_keys, phones,
                         phone_numbers, lifecycle_stage, owner_id, external_ids, external_keys, tags, custom, shares)
    select tenant_id, 'contact_0' || substr(md5(n::text), 1, 25), 1, created_at - n * interval '1 second', updated_at,
           full_name || n, emails, email_keys, phones, phone_numbers, case when n % 3 = 0 then 'customer' else 'lead' end,
           case when n % $2::bigint <= 4
                then ($1::text[])[1 + (n % $2::bigint)::int] else 'user_0' || substr(md5((n % 997)::text), 1, 25) end,
           external_ids, external_keys, tags, custom, shares
      from contact, generate_series(1, $3::bigint) as n where id = $4
"""
"""Of every `$2` contacts one belongs to each of five colleagues."""


class Company:
    """A tenant with a million contacts, and clients for each role."""

    def __init__(self, stack: LocalStack, client: httpx.AsyncClient) -> None:
        self._stack = stack
        self._client = client
        self._headers: dict[str, dict[str, str]] = {}

    async def _post(self, path: str, **body: object) -> dict[str, str]:
        answer = await self._client.post(path, json=body)
        assert answer.status_code == 201, answer.text
        found: dict[str, str] = answer.json()
        return found

    async def settle(self, contacts: int, own: int) -> str:
        """The id of a customer of the salesperson, with a full view."""
        team = await self._post("/v1/teams", name="华东")
        grant = {"resources": ["*"], "actions": ["read"]}
        roles = {
            name: (await self._post("/v1/roles", name=name, grants=[grant | told]))["id"]
            for name, told in ROLES.items()
        }
        roles["the team's"] = (
            await self._post("/v1/roles", name="t", grants=[grant | ROLES["one's own"] | {"records": "team"}])
        )["id"]
        users = []
        for number in range(5):
            teams = [{"team_id": team["id"], "manager": False}]
            users.append((await self._post("/v1/users", name="x", email=f"u{number}@example.com", teams=teams))["id"])
        customer = await self._customer(users[0])
        await self._fill(customer, users, contacts, own)
        for name, role in roles.items():
            key = (
                await self._post("/v1/api-keys", name="x", scopes=["read"], roles=[role])
                if name.startswith("all")
                else None
            )
            if key is None:
                user = users[0] if name == "one's own" else users[1]
                await self._client.patch(f"/v1/users/{user}", json={"roles": [role]})
                key = await self._post("/v1/api-keys", name="x", scopes=["read"], user_id=user)
            self._headers[name] = {"Authorization": f"Bearer {key['key']}"}
        self._headers["everything"] = dict(self._client.headers)
        return customer

    async def _customer(self, owner: str) -> str:
        account = await self._post("/v1/accounts", name="云帆", owner_id=owner)
        contact = await self._post(
            "/v1/contacts",
            full_name="欧阳晓梅",
            emails=[{"address": "xiaomei@example.com"}],
            phones=[{"number": "+8613800138000"}],
            account_id=account["id"],
            owner_id=owner,
        )
        about = {"contact_id": contact["id"]}
        for number in range(12):
            price = {"amount": "1999.00", "currency": "CNY"}
            lines = [{"name": "龙井", "quantity": "1", "unit_price": price}]
            await self._post("/v1/deals", name=f"框架 {number}", amount=price, **about)
            await self._post("/v1/orders", number=f"SO-{number}", lines=lines, **about)
            await self._post("/v1/tickets", subject=f"问题 {number}", **about)
            await self._post("/v1/activities", kind="call", subject=f"回访 {number}", **about)
        await asyncio.sleep(2)
        return contact["id"]

    async def _fill(self, contact: str, users: list[str], contacts: int, own: int) -> None:
        connection = await asyncpg.connect(self._stack.database_url("contacts"), command_timeout=900)
        try:
            for index in ("contact_email_keys", "contact_phone_numbers", "contact_tags", "contact_external_keys"):
                await connection.execute(f"drop index {index}")  # slow to fill, and not asked here
            await connection.execute(_COPY, users, contacts // own, contacts, contact)
            await connection.execute("vacuum analyze contact")
        finally:
            await connection.close()

    def headers(self, name: str) -> dict[str, str]:
        return {name: value for name, value in self._headers[name].items() if name.lower() == "authorization"}


async def lists(company: Company, url: str, requests: int) -> dict[str, str]:
    """Milliseconds to a page, asked for in turns."""
    found = {}
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        for about, path in LISTS.items():
            times: dict[str, list[float]] = {
                name: [] for name in ("everything", "one's own", "the team's", "all, masked")
            }
            for number in range(requests + 5):
                for name, taken in times.items():
                    if (name, about) == ("all, masked", "by name"):
                        continue  # a name that is masked sorts nothing
                    began = time.perf_counter()
                    answer = await client.get(path, headers=company.headers(name))
                    assert answer.status_code == 200, answer.text
                    assert len(answer.json()["data"]) == 50, (name, path, answer.text[:300])
                    if number >= 5:
                        taken.append((time.perf_counter() - began) * 1000)
            found |= {
                f"{about}, {name}": f"p50 {percentile(taken, 50):.1f} p95 {percentile(taken, 95):.1f} ms"
                for name, taken in times.items()
                if taken
            }
    return found


async def views(company: Company, url: str, customer: str, rounds: int, seconds: float) -> dict[str, str]:
    """Reads a second of each role, and the ratio to who may see everything: the median of rounds in turns."""
    found = {}
    for name in ("all in clear", "one's own", "all, masked"):
        ratios = []
        for _ in range(rounds):
            outcomes = {}
            for who in ("everything", name):
                request = request_bytes("GET", f"{url}/v1/customers/{customer}", company.headers(who))
                outcomes[who] = await drive(url, [request], connections=8, seconds=seconds)
            ratios.append((outcomes[name].requests_per_second / outcomes["everything"].requests_per_second, outcomes))
        ratio, outcomes = sorted(ratios, key=lambda one: one[0])[rounds // 2]
        found[f"view, {name} / everything"] = f"{ratio:.2f} ({outcomes[name]} | {outcomes['everything']})"
    return found


async def main(contacts: int, own: int, requests: int, rounds: int, seconds: float) -> None:
    with temporary_run_dir() as folder:
        async with LocalStack(Configuration(run_dir=folder)) as stack:
            _, key = await new_tenant(stack, "Rights")
            url = stack.urls["gateway"]
            async with httpx.AsyncClient(
                base_url=url, headers={"Authorization": f"Bearer {key}"}, timeout=60
            ) as client:
                company = Company(stack, client)
                customer = await company.settle(contacts, own)
                size = len((await client.get(f"/v1/customers/{customer}")).content)
                result: Mapping[str, object] = {"contacts": contacts, "a salesperson's": own, "view, bytes": size}
                result |= await views(company, url, customer, rounds, seconds)
                result |= await lists(company, url, requests)
    print(json.dumps(result, indent=1, ensure_ascii=False))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--contacts", type=int, default=1_000_000)
    parser.add_argument("--own", type=int, default=200, help="contacts of each of five colleagues")
    parser.add_argument("--requests", type=int, default=200, help="of each list and role")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=4, help="of each round")
    chosen = parser.parse_args()
    asyncio.run(main(chosen.contacts, chosen.own, chosen.requests, chosen.rounds, chosen.seconds))
