"""What the guide shows is what happens."""

from crm_testkit.guides import examples, guide
from crm_testkit.service import ServiceUnderTest


async def test_every_example_is_answered_as_it_says(service: ServiceUnderTest) -> None:
    """`FIRST` and `SECOND` are the contacts in their order, `MERGE` the merge."""
    tenant = service.tenant()
    known: dict[str, str] = {}
    told = list(examples(guide("merging.md")))
    assert len(told) == 5
    for example in told:
        path, body = example.path, example.body
        for name, id_ in known.items():
            path = path.replace(name, id_)
            if "from" in body:
                body = {**body, "from": [each.replace(name, id_) for each in body["from"]]}
        answer = await tenant.client.request(example.method, path, json=body or None)
        assert answer.status_code == example.status, answer.text
        shown = answer.json()
        assert {name: shown[name] for name in example.answer} == example.answer
        if path == "/v1/contacts":
            known["SECOND" if "FIRST" in known else "FIRST"] = shown["id"]
        if shown.get("merge"):
            known["MERGE"] = shown["merge"]["id"]
