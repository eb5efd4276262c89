"""Filters: the same in SQL as in memory, whoever is asked for, and bounded."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from crm_testkit.door import Door
from gateway.features.scim.schemas import POLICY, Group, User
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scim2_models import ScimFilter

NAMES = [
    "Müller",
    "MÜLLER",
    "strasse",
    "STRAßE",
    "陈静",
    "陈 静",
    "ﬁn",
    "Ωmega",
    "ωMEGA",
    "a_b%c\\d",
    'q"uote',
    "İstanbul",
]


@dataclass
class World:
    """A tenant with users and groups, and the same as the library's resources."""

    scim: Any
    users: list[User]
    groups: list[Group]


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(door: Door) -> AsyncIterator[World]:
    scim = _Scim((await door.tenant("Filters")).client)
    users = []
    for number, name in enumerate(NAMES):
        body: dict[str, Any] = {"userName": f"{'Xy'[number % 2]}{number}@Example.com", "displayName": name}
        if number % 3:
            body |= {"externalId": f"E-{number}x"}
        if number % 4:
            body |= {"preferredLanguage": ("zh-CN", "en-US", "de")[number % 3], "active": number % 4 == 1}
        users.append(await scim.post("/Users", body))
    users.append(await scim.post("/Users", {"userName": "nameless@example.com"}))
    for number, name in enumerate(("East", "EAST", "华东", "Straße")):
        members = [{"value": user["id"]} for user in users[number * 2 : number * 4]]
        await scim.post("/Groups", {"displayName": name, "members": members})
    shown = {
        kind: (await scim.client.get(f"/scim/v2/{kind}", params={"count": 200})).json()["Resources"]
        for kind in ("Users", "Groups")
    }
    names = {user["id"]: user.get("displayName", user["userName"]) for user in shown["Users"]}
    for group in shown["Groups"]:
        for member in group.get("members", []):
            member["display"] = names[member["value"]]
    yield World(
        scim,
        [User.model_validate(user, scim_policy=POLICY) for user in shown["Users"]],
        [Group.model_validate(group, scim_policy=POLICY) for group in shown["Groups"]],
    )


class _Scim:
    def __init__(self, client: Any) -> None:
        self.client = client

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        answer = await self.client.post(f"/scim/v2{path}", json=body)
        assert answer.status_code == 201, answer.text
        return dict(answer.json())


TEXTS = {
    User: [
        "userName",
        "displayName",
        "NAME.Formatted",
        "externalId",
        "preferredLanguage",
        "id",
        "emails",
        "emails.value",
    ],
    Group: ["displayName", "id", "members", "members.value", "members.display"],
}
LISTS = {
    User: {"emails": ["value", "type"], "groups": ["value", "display", "type"]},
    Group: {"members": ["value", "display", "type"]},
}
PRESENT = {User: ["groups", "emails", "active", "meta.created"], Group: ["members", "externalId"]}


def filters(model: type[Any], words: list[str]) -> st.SearchStrategy[str]:
    def compare(names: list[str]) -> st.SearchStrategy[str]:
        operand = st.sampled_from(words).map(ScimFilter.quote)
        compared = st.tuples(
            st.sampled_from(names),
            st.sampled_from(["eq", "ne", "co", "sw", "ew", "gt", "ge", "lt", "le", "EQ"]),
            operand,
        ).map(" ".join)
        return compared | st.sampled_from([f"{name} {test}" for name in names for test in ("pr", "eq null", "ne null")])

    leaf = compare(TEXTS[model]) | st.sampled_from([f"{name} pr" for name in PRESENT[model]])
    if model is User:
        leaf |= st.sampled_from(["active eq true", "active ne true", "active eq false"])
    for name, parts in LISTS[model].items():
        leaf |= _joined(compare(parts)).map(lambda inner, name=name: f"{name}[{inner}]")
    return _joined(leaf)


def _joined(leaf: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        leaf,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from(["and", "or"]), inner).map(lambda t: f"({t[0]}) {t[1]} ({t[2]})"),
            inner.map(lambda one: f"not ({one})"),
        ),
        max_leaves=4,
    )


@pytest.mark.parametrize("model", [User, Group])
async def test_sql_and_memory_agree(world: World, model: Any) -> None:
    resources: list[Any] = world.users if model is User else world.groups
    known = set(NAMES) | {
        "e",
        "x",
        "E-",
        "@example.com",
        "East",
        "work",
        "direct",
        "user",
        "en",
        "ZH-cn",
        "%",
        "_",
        "",
    }
    known |= {resource.id for resource in resources} | {resource.id.upper() for resource in resources[:1]}
    known |= {str(user.user_name) for user in world.users[:3]} | {group.id for group in world.groups}
    loop = asyncio.get_running_loop()

    @settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
    @given(filter_=filters(model, sorted(known)))
    def agree(filter_: str) -> None:
        with POLICY:
            expected = [one.id for one in resources if ScimFilter[model](filter_).match(one)]
        answered = world.scim.client.post(
            f"/scim/v2/{model.__name__}s/.search", json={"filter": filter_, "count": 200, "attributes": ["id"]}
        )
        answer = asyncio.run_coroutine_threadsafe(answered, loop).result(30)
        assert answer.status_code == 200, (filter_, answer.text)
        assert [one["id"] for one in answer.json()["Resources"]] == expected, filter_

    await asyncio.to_thread(agree)


async def test_times_are_compared_as_times(world: World) -> None:
    scim = world.scim
    moment = world.users[3].meta.created  # type: ignore[union-attr]  # every user has it
    assert moment is not None
    shifted = moment.isoformat().replace("+00:00", "Z")
    for filter_, expected in (
        (f'meta.created eq "{shifted}"', world.users[3:4]),
        (f'meta.created lt "{shifted}"', world.users[:3]),
        (f'meta.lastModified ge "{shifted}" and meta.created le "{shifted}"', world.users[:4]),
        ('meta.lastModified gt "2100-01-01T00:00:00+08:00"', []),
        ('meta.created gt "2011-05-13T04:42:34"', world.users),
    ):
        answer = await scim.client.get("/scim/v2/Users", params={"filter": filter_, "count": 200})
        assert answer.status_code == 200, answer.text
        found = [one["id"] for one in answer.json()["Resources"]]
        if "lastModified ge" in filter_:
            assert set(found) <= {one.id for one in expected}
        else:
            assert found == [one.id for one in expected], filter_


@pytest.mark.parametrize(
    "filter_",
    [
        "",
        " ",
        "userName",
        "userName eq",
        "userName eq jing",
        "userName eq 'jing'",
        "eq",
        'userName xx "a"',
        'userName eq "a" and',
        '(userName eq "a"',
        'nonsense eq "a"',
        'userName.nonsense eq "a"',
        'urn:x:y:userName eq "a"',
        'phoneNumbers eq "a"',
        'emails[nonsense eq "a"]',
        'userName[value eq "a"]',
        'emails[type eq "work"',
        "active gt true",
        'active eq "perhaps"',
        'active co "t"',
        "userName gt 5",
        'meta.created gt "yesterday"',
        'meta.created co "2026"',
        'name eq "a"',
        'meta.version eq "a"',
        'schemas eq "a"',
        'userName eq "\\u0000"',
        'userName eq "\\ud800"',
        "userName eq \x00",
        '"; drop table crm_user; --',
        "(" * 51 + "userName pr" + ")" * 51,
        "not (" * 1000 + "userName pr" + ")" * 1000,
        " or ".join(["id pr"] * 101),
        'userName eq "' + "x" * 4_001 + '"',
    ],
)
async def test_what_is_no_filter_is_said_to_be_none(world: World, filter_: str) -> None:
    client = world.scim.client
    answers = [
        await client.post("/scim/v2/Users/.search", json={"filter": filter_})
        if "\x00" not in filter_
        else await client.get("/scim/v2/Users", params={"filter": filter_}),
        await client.get("/scim/v2/Users", params={"filter": filter_}),
    ]
    for answer in answers:
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidFilter"), answer.text
