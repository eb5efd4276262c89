"""Lists, searches and batches."""

from crm_testkit.conformance.sample import Json, ResourceSuite, Subject, member, offering


async def _fill(subject: Subject, number: int) -> list[Json]:
    return [await subject.create() for _ in range(number)]


class ListRules(ResourceSuite):
    @offering("create", "list")
    async def test_a_walk_sees_every_row_once_while_others_come(self, subject: Subject) -> None:
        there = {row["id"] for row in await _fill(subject, 20)}
        for sort in ("created_at", "-created_at", "-updated_at,id", None):
            seen: list[str] = []
            params = {"limit": 7} if sort is None else {"limit": 7, "sort": sort}
            answer = await subject.client.get(subject.path, params=params)
            while True:
                page = answer.json()
                assert answer.status_code == 200, page
                assert len(page["data"]) <= 7
                seen += [row["id"] for row in page["data"]]
                assert ("next" in answer.links) is (page["next_cursor"] is not None)
                if page["next_cursor"] is None or len(seen) > 100:
                    break
                if len(seen) < 15:
                    await subject.create()
                answer = await subject.client.get(answer.links["next"]["url"])
            assert len(seen) == len(set(seen)), sort
            assert there <= set(seen), sort

    @offering("create", "list")
    async def test_a_page_of_the_whole_list_has_no_next(self, subject: Subject) -> None:
        subject.require_own_alone()
        assert await subject.tenant.read(subject.path) == {"data": [], "next_cursor": None}
        rows = await _fill(subject, 3)
        page = await subject.tenant.read(subject.path, limit=3, sort="created_at,id")
        assert page == {"data": rows, "next_cursor": None}

    @offering("list")
    async def test_a_page_that_cannot_be_is_refused(self, subject: Subject) -> None:
        for params, status, pointer in (
            ({"limit": "0"}, 422, "?limit"),
            ({"limit": "201"}, 422, "?limit"),
            ({"limit": "-1"}, 422, "?limit"),
            ({"limit": "seven"}, 422, "?limit"),
            ({"limit": "9" * 40}, 422, "?limit"),
            ({"limit": "\u0667"}, 422, "?limit"),
            ({"sort": "no_such_member"}, 422, "?sort"),
            ({"sort": "id;drop"}, 422, "?sort"),
            ({"sort": "id,-id"}, 422, "?sort"),
            ({"sort": "\0"}, 422, "?sort"),
            ({"no_such_member": "1"}, 422, "?no_such_member"),
            ({"created_at": "yesterday"}, 422, "?created_at"),
            ({"id": "a\0b"}, 422, "?id"),
            ({"cursor": "garbage"}, 400, None),
            ({"cursor": "e30"}, 400, None),
            ({"cursor": "A" * 30_000}, 400, None),
            ({"cursor": "光标\0"}, 400, None),
        ):
            answer = await subject.client.get(subject.path, params=params)
            assert answer.status_code == status, params
            if pointer is not None:
                assert answer.json()["errors"][0]["pointer"] == pointer
            else:
                assert answer.json()["code"] == "invalid_cursor"

    @offering("create", "list")
    async def test_a_cursor_is_good_for_its_own_list_alone(self, subject: Subject) -> None:
        subject.require_own_alone()
        rows = await _fill(subject, 3)
        cursor = (await subject.tenant.read(subject.path, limit=1, sort="created_at"))["next_cursor"]
        stranger = await subject.as_stranger()
        strange = await stranger.client.get(stranger.path, params={"cursor": cursor, "sort": "created_at"})
        others = [
            await subject.client.get(subject.path, params={"cursor": cursor}),
            await subject.client.get(subject.path, params={"cursor": cursor, "sort": "-created_at"}),
            await subject.client.get(
                subject.path, params={"cursor": cursor, "sort": "created_at", "id": rows[0]["id"]}
            ),
            await subject.client.get(subject.path, params={"cursor": cursor[:-3] + "abc", "sort": "created_at"}),
        ]
        for answer in (strange, *others):
            assert (answer.status_code, answer.json()["code"]) == (400, "invalid_cursor")
        assert (await subject.tenant.read(subject.path, cursor=cursor, sort="created_at"))["data"] == rows[1:]

    @offering("create", "list")
    async def test_filters_find_by_equality(self, subject: Subject) -> None:
        rows = await _fill(subject, 3)
        assert (await subject.tenant.read(subject.path, id=rows[1]["id"]))["data"] == [rows[1]]
        assert (await subject.tenant.read(subject.path, id="nothing"))["data"] == []
        if subject.sample.equals is not None:
            name, path = subject.sample.equals
            assert (await subject.tenant.read(subject.path, **{name: member(rows[2], path)}))["data"] == [rows[2]]

    @offering("create", "search")
    async def test_a_search_finds_by_conditions(self, subject: Subject) -> None:
        subject.require_own_alone()
        rows = await _fill(subject, 5)
        wanted = sorted([rows[1]["id"], rows[3]["id"]])
        body = {
            "where": {
                "all": [
                    {"field": "id", "op": "in", "value": wanted},
                    {"not": {"field": "created_at", "op": "before", "value": "2020-01-01T00:00:00Z"}},
                    {"field": "updated_at", "op": "within_last", "value": "1h"},
                ]
            },
            "sort": ["id"],
            "limit": 1,
        }
        first = (await subject.client.post(f"{subject.path}/search", json=body)).json()
        assert [row["id"] for row in first["data"]] == wanted[:1]
        second = await subject.client.post(f"{subject.path}/search", json={**body, "cursor": first["next_cursor"]})
        assert ([row["id"] for row in second.json()["data"]], second.json()["next_cursor"]) == (wanted[1:], None)
        other = {"sort": ["id"], "limit": 1, "cursor": first["next_cursor"]}
        assert (await subject.client.post(f"{subject.path}/search", json=other)).status_code == 400
        everything = await subject.client.post(f"{subject.path}/search", json={})
        assert len(everything.json()["data"]) == 5

    @offering("search")
    async def test_a_condition_that_cannot_be_is_refused_with_its_places(self, subject: Subject) -> None:
        where = {
            "all": [
                {"field": "no_such_member", "op": "eq", "value": 1},
                {"any": [{"field": "created_at", "op": "gte", "value": "yesterday"}]},
                {"field": "id", "op": "gte", "value": "x"},
                {"not": {"field": "id", "op": "eq", "value": 7}},
                {"field": "id", "op": "eq", "value": None},
            ]
        }
        answer = await subject.client.post(f"{subject.path}/search", json={"where": where})
        assert answer.status_code == 422
        assert [(error["pointer"], error["code"]) for error in answer.json()["errors"]] == [
            ("/where/all/0/field", "unknown_field"),
            ("/where/all/1/any/0/value", "type_mismatch"),
            ("/where/all/2/op", "unknown_operator"),
            ("/where/all/3/not/value", "type_mismatch"),
            ("/where/all/4/value", "type_mismatch"),
        ]
        bodies: tuple[Json, ...] = (
            {"where": []},
            {"where": {"all": []}},
            {"wher": {}},
            {"limit": 0},
            {"limit": "7"},
            {"sort": "id"},
        )
        for body in bodies:
            answer = await subject.client.post(f"{subject.path}/search", json=body)
            assert answer.status_code == 422, body
        deep: Json = {"field": "id", "op": "exists"}
        for _ in range(20):
            deep = {"not": deep}
        assert (await subject.client.post(f"{subject.path}/search", json={"where": deep})).status_code == 422

    @offering("create", "batch", "get")
    async def test_one_bad_row_spoils_no_other(self, subject: Subject) -> None:
        entity = await subject.create()
        stranger = await subject.as_stranger()
        foreign = await stranger.create()
        operations = [
            {"method": "create", "data": subject.body()},
            {"method": "create", "data": {**subject.body(), "no_such_member": 1}},
            {"method": "update", "id": entity["id"], "data": subject.sample.patch},
            {"method": "update", "id": entity["id"], "data": {"no_such_member": 1}},
            {"method": "update", "id": subject.sample.absent, "data": subject.sample.patch},
            {"method": "update", "id": foreign["id"], "data": subject.sample.patch},
            {"method": "update", "data": subject.sample.patch},
            {"method": "upsert", "match": "no_such_member", "data": subject.body()},
            {"method": "create", "data": subject.body()},
        ]
        answer = await subject.client.post(f"{subject.path}/batch", json={"operations": operations})
        results = answer.json()["results"]
        assert answer.status_code == 200
        assert [result["status"] for result in results] == [201, 422, 200, 422, 404, 404, 422, 422, 201]
        for result in results:
            if result["status"] < 400:
                assert (await subject.tenant.read(subject.at(result["id"])))["version"] == result["version"]
                assert "error" not in result
            else:
                assert result["error"]["status"] == result["status"]
                assert result["error"]["code"]
        assert results[1]["error"]["errors"][0]["pointer"] == "/no_such_member"
        assert await subject.count() == 3
        assert await stranger.tenant.read(stranger.at(foreign)) == foreign
        events = await subject.service.events(subject.sample.topic.name, key=entity["id"], at_least=2)
        assert [event.sequence for event in events] == [1, 2]

    @offering("create", "batch", upsert=True)
    async def test_an_upsert_makes_one_and_then_changes_it(self, subject: Subject) -> None:
        body = subject.body()
        upsert = {"method": "upsert", "match": subject.sample.upsert, "data": body}
        changed = {**upsert, "data": {**body, **subject.sample.patch}}
        answer = await subject.client.post(f"{subject.path}/batch", json={"operations": [upsert, upsert, changed]})
        made, same, updated = answer.json()["results"]
        assert (made["status"], same["status"], updated["status"]) == (201, 200, 200), answer.text
        assert (made["version"], same["version"], updated["version"]) == (1, 1, 2)
        assert made["id"] == same["id"] == updated["id"]
        assert await subject.count() == 1

    @offering("create", "batch", "list", once=True)
    async def test_a_thousand_rows_are_one_batch_and_no_more(self, subject: Subject) -> None:
        operations = [{"method": "create", "data": subject.body()} for _ in range(1001)]
        over = await subject.client.post(f"{subject.path}/batch", json={"operations": operations})
        assert (over.status_code, over.json()["errors"][0]["pointer"]) == (422, "/operations")
        none: tuple[Json, ...] = ({"operations": []}, {}, {"operations": [7]}, {"operations": [{"method": "drop"}]})
        for empty in none:
            assert (await subject.client.post(f"{subject.path}/batch", json=empty)).status_code == 422
        answer = await subject.client.post(f"{subject.path}/batch", json={"operations": operations[:1000]})
        assert {result["status"] for result in answer.json()["results"]} == {201}
        assert len({result["id"] for result in answer.json()["results"]}) == 1000
