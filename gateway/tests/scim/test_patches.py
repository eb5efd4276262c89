"""Sequences of PATCH operations leave a user, and a group, as a simple model of them says."""

import asyncio
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

NAMES = st.sampled_from(["陈静", "Jing", "J.", "Müller"])
LANGUAGES = st.sampled_from(["zh-CN", "en", "de-DE"])
CORE = "urn:ietf:params:scim:schemas:core:2.0:User"

Json = dict[str, Any]


def _spelled(op: str) -> st.SearchStrategy[str]:
    return st.sampled_from([op, op.capitalize(), op.upper()])


def _written(name: str, values: st.SearchStrategy[Any]) -> st.SearchStrategy[Json]:
    """`add` or `replace` of one attribute: by path, by a qualified path, or without one."""

    def operation(drawn: tuple[str, Any, str]) -> Json:
        op, value, form = drawn
        if form == "value":
            return {"op": op, "value": {name: value}}
        return {"op": op, "path": name if form == "path" else f"{CORE}:{name}", "value": value}

    ops = _spelled("add") | _spelled("replace")
    return st.tuples(ops, values, st.sampled_from(["path", "urn", "value"])).map(operation)


def _removed(*names: str) -> st.SearchStrategy[Json]:
    return st.tuples(_spelled("remove"), st.sampled_from(names)).map(lambda t: {"op": t[0], "path": t[1]})


USER_OPERATIONS = st.one_of(
    _written("displayName", NAMES),
    _written("active", st.sampled_from([True, False, "True", "False", "true"])),
    _written("preferredLanguage", LANGUAGES),
    _written("userName", st.sampled_from(["jing@example.com", "chen@example.com"])),
    _written("externalId", st.sampled_from(["E-1", "E-2"])),
    _written("title", NAMES),
    _written("emails", st.just([{"value": "other@example.com", "type": "work"}])),
    _removed("displayName", "preferredLanguage", "externalId", "title", "active"),
)


class UserModel:
    def __init__(self) -> None:
        self.attributes: Json = {"userName": "jing@example.com", "active": True}

    def request(self, operations: list[Json]) -> None:
        active = self.attributes["active"]
        for operation in operations:
            self._apply(operation)
        self.attributes.setdefault("active", active)  # who is not said to be active or not stays what they were

    def _apply(self, operation: Json) -> None:
        op, path, value = operation["op"].lower(), operation.get("path"), operation.get("value")
        written = value if path is None else {path.removeprefix(f"{CORE}:"): value}
        for name, each in written.items():
            if name in ("title", "emails"):
                continue
            if op == "remove":
                self.attributes.pop(name, None)
            else:
                self.attributes[name] = each if name != "active" else str(each).lower() == "true"


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(requests=st.lists(st.lists(USER_OPERATIONS, min_size=1, max_size=5), min_size=1, max_size=4))
def run_users(scim: Any, loop: asyncio.AbstractEventLoop, requests: list[list[Json]]) -> None:
    async def run() -> None:
        made = await scim.user()
        model = UserModel()
        try:
            for operations in requests:
                answer = await scim.patched("Users", made, *operations)
                assert answer.status_code == 200, (operations, answer.text)
                model.request(operations)
                shown = {n: v for n, v in answer.json().items() if n not in ("schemas", "id", "meta", "emails", "name")}
                assert shown == model.attributes, operations
                assert await scim.read("Users", made) == answer.json()
        finally:
            assert (await scim.call("DELETE", f"/Users/{made['id']}")).status_code == 204

    asyncio.run_coroutine_threadsafe(run(), loop).result(60)


async def test_operations_on_a_user_do_what_a_model_says(scim: Any) -> None:
    await asyncio.to_thread(run_users, scim, asyncio.get_running_loop())


def _some(ids: list[str]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(ids), max_size=3)


def _entries(ids: list[str]) -> list[Json]:
    return [{"value": each} for each in ids]


def group_operations(ids: list[str]) -> st.SearchStrategy[Json]:
    def by_filter(some: list[str]) -> Json:
        wanted = " or ".join(f'value eq "{each}"' for each in some) or 'value sw "nobody"'
        return {"op": "remove", "path": f"members[{wanted}]", "ids": some}

    return st.one_of(
        _some(ids).map(lambda some: {"op": "Add", "path": "members", "value": _entries(some), "ids": some}),
        _some(ids).map(lambda some: {"op": "replace", "path": "members", "value": _entries(some), "ids": some}),
        _some(ids).map(lambda some: {"op": "replace", "value": {"members": _entries(some)}, "ids": some}),
        _some(ids).map(
            lambda some: {"op": "add", "value": {"Members": _entries(some), "displayName": "N"}, "ids": some}
        ),
        _some(ids).map(lambda some: {"op": "Remove", "path": "members", "value": _entries(some), "ids": some}),
        _some(ids).map(by_filter),
        st.just({"op": "remove", "path": "members", "ids": ids}),
        st.just({"op": "remove", "path": f'members[not (value eq "{ids[0]}")]', "ids": ids[1:]}),
        st.just({"op": "remove", "path": f'members[type eq "user" and value ew "{ids[0][-8:]}"]', "ids": ids[:1]}),
    )


def applied(members: set[str], operation: Json) -> set[str]:
    named = set(operation["ids"])
    match operation["op"].lower():
        case "add":
            return members | named
        case "remove":
            return members - named
        case _:
            return named


async def test_operations_on_a_group_do_what_a_model_says(scim: Any) -> None:
    users = [await scim.user(str(number)) for number in range(5)]
    ids = [user["id"] for user in users]
    group = await scim.group("G")
    loop = asyncio.get_running_loop()

    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(operations=st.lists(group_operations(ids), min_size=1, max_size=5))
    def run(operations: list[Json]) -> None:
        async def step() -> None:
            members: set[str] = set()
            assert (
                await scim.call("PUT", f"/Groups/{group['id']}", {"displayName": "G", "members": []})
            ).status_code == 200
            sent = [{name: value for name, value in one.items() if name != "ids"} for one in operations]
            answer = await scim.patched("Groups", group, *sent)
            assert answer.status_code == 204, (sent, answer.text)
            for operation in operations:
                members = applied(members, operation)
            assert await scim.members(group) == members, operations

        asyncio.run_coroutine_threadsafe(step(), loop).result(60)

    await asyncio.to_thread(run)


async def test_what_a_patch_cannot_mean_is_refused_whole(scim: Any) -> None:
    made, group = await scim.user(displayName="陈静"), await scim.group("华东")
    cases: list[tuple[str, Json, str]] = [
        ("Users", {"op": "fly", "path": "displayName", "value": "x"}, "invalidValue"),
        ("Users", {"path": "displayName", "value": "x"}, "invalidValue"),
        ("Users", {"op": "add", "path": "displayName"}, "invalidValue"),
        ("Users", {"op": "remove"}, "noTarget"),
        ("Users", {"op": "remove", "path": "userName"}, "mutability"),
        ("Users", {"op": "replace", "path": "userName", "value": None}, "mutability"),
        ("Users", {"op": "replace", "path": "userName", "value": "nobody"}, "invalidValue"),
        ("Users", {"op": "replace", "path": "id", "value": "user_1"}, "mutability"),
        ("Users", {"op": "replace", "path": "meta.created", "value": "2026-01-01T00:00:00Z"}, "mutability"),
        ("Users", {"op": "replace", "path": "displayName", "value": {"a": 1}}, "invalidValue"),
        ("Users", {"op": "replace", "path": "active", "value": "perhaps"}, "invalidValue"),
        ("Users", {"op": "replace", "path": "displayName[", "value": "x"}, "invalidPath"),
        ("Users", {"op": "replace", "path": "(" * 60, "value": "x"}, "invalidPath"),
        ("Users", {"op": "replace", "path": "x" * 4_001, "value": "x"}, "invalidPath"),
        ("Users", {"op": "replace", "value": "x"}, "invalidValue"),
        ("Groups", {"op": "remove", "path": "displayName"}, "mutability"),
        ("Groups", {"op": "replace", "path": 'members[value eq "x"].value', "value": "y"}, "mutability"),
        ("Groups", {"op": "add", "path": 'members[value eq "x"]', "value": {"type": "User"}}, "mutability"),
        ("Groups", {"op": "add", "path": "members", "value": ["x"]}, "invalidValue"),
        ("Groups", {"op": "add", "path": "members", "value": "x"}, "invalidValue"),
        ("Groups", {"op": "replace", "value": {"members": 7}}, "invalidValue"),
        ("Groups", {"op": "replace", "path": "displayName", "value": ""}, "invalidValue"),
    ]
    for kind, operation, scim_type in cases:
        target, first = (made, "displayName") if kind == "Users" else (group, "displayName")
        answer = await scim.patched(kind, target, {"op": "replace", "path": first, "value": "changed"}, operation)
        assert (answer.status_code, answer.json().get("scimType")) == (400, scim_type), (operation, answer.text)
        assert "pydantic" not in answer.text
    for body in ({}, {"Operations": []}, {"Operations": "x"}, {"Operations": [7]}, {"Operations": None}):
        answer = await scim.call("PATCH", f"/Users/{made['id']}", body)
        assert (answer.status_code, answer.json()["scimType"]) == (400, "invalidValue"), body
    assert (await scim.read("Users", made))["displayName"] == "陈静"
    assert (await scim.read("Groups", group))["displayName"] == "华东"
