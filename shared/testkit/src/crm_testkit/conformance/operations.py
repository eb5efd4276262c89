"""What ops and client generators rely on: the documents, health, metrics, migrations."""

import re

import pytest
from crm_kit.db.migrations import differences
from crm_kit.db.session import make_engine
from prometheus_client.parser import text_string_to_metric_families

from crm_testkit.conformance.sample import Json, ResourceSuite, openapi
from crm_testkit.service import ServiceUnderTest

_METHODS = ("get", "post", "put", "patch", "delete")


def _operations(document: Json) -> list[tuple[str, str, Json]]:
    return [
        (path, method, item[method])
        for path, item in document["paths"].items()
        for method in _METHODS
        if method in item
    ]


class OperationRules(ResourceSuite):
    def test_every_resource_has_a_sample_or_a_reason(self) -> None:
        suffix = "/{entity_id}"
        found = {path.removesuffix(suffix) for path in openapi(self.manifest)["paths"] if path.endswith(suffix)}
        sampled = {sample.path for sample in self.samples}
        assert found == sampled | set(self.without_sample)
        assert sampled.isdisjoint(self.without_sample)
        assert all(self.without_sample.values())

    def test_every_operation_can_be_called_by_name(self) -> None:
        operations = _operations(openapi(self.manifest))
        names = [operation.get("operationId", f"{method} {path}") for path, method, operation in operations]
        assert len(names) == len(set(names))
        assert [name for name in names if not re.fullmatch(r"[a-z][a-z0-9_]*", name)] == []
        for path, method, operation in operations:
            assert operation.get("summary"), (method, path)
            assert any(status.startswith("2") for status in operation["responses"]), (method, path)

    def test_every_published_topic_has_its_own_service(self) -> None:
        published = [events.topic for events in self.manifest.publishes]
        assert {topic.service for topic in published} <= {self.manifest.name}
        # A topic without actions is of an entity that is no other service's affair.
        sampled = {sample.topic.name for sample in self.samples if sample.topic.actions}
        assert sampled <= {topic.name for topic in published}

    async def test_the_document_served_is_the_document_generated(self, service: ServiceUnderTest) -> None:
        answer = await service.anonymous().get("/openapi.json")
        assert (answer.status_code, answer.json()) == (200, openapi(self.manifest))

    @pytest.mark.parametrize("path", ["/healthz", "/readyz"])
    async def test_health_is_told_to_anybody(self, service: ServiceUnderTest, path: str) -> None:
        answer = await service.anonymous().get(path)
        assert (answer.status_code, answer.json()) == (200, {"status": "ok"})

    async def test_metrics_name_routes_and_never_ids(self, service: ServiceUnderTest) -> None:
        tenant = service.tenant()
        sample = self.samples[0]
        await tenant.client.get(f"{sample.path}/x_01jd3zq8w9e2vbx7k5m4n6p8qr")
        await tenant.client.get("/v1/nothing-here-01jd3zq8w9e2vbx7k5m4n6p8qr")
        answer = await service.anonymous().get("/metrics")
        assert answer.status_code == 200
        routes = {
            found.labels["route"]
            for family in text_string_to_metric_families(answer.text)
            for found in family.samples
            if found.name == "crm_http_requests_total" and found.labels["service"] == self.manifest.name
        }
        assert f"{sample.path}/{{entity_id}}" in routes
        assert "01jd3zq8w9e2vbx7k5m4n6p8qr" not in answer.text
        assert tenant.id not in answer.text

    async def test_trace_and_request_id_are_made_where_missing(self, service: ServiceUnderTest) -> None:
        for traceparent in (
            "",
            "00-" + "0" * 32 + "-00f067aa0ba902b7-01",
            "garbage",
            "ff-" + "a" * 32 + "-" + "b" * 16,
        ):
            answer = await service.tenant().client.get(
                self.samples[0].path.partition("{")[0], headers={"traceparent": traceparent, "X-Request-Id": "a b\t<>"}
            )
            assert re.fullmatch(r"00-(?!0{32})[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}", answer.headers["traceparent"])
            assert re.fullmatch(r"req-[0-9a-f]+", answer.headers["x-request-id"])

    async def test_models_and_migrations_agree(self, service: ServiceUnderTest) -> None:
        engine = make_engine(service.urls.owner)
        try:
            async with engine.connect() as connection:
                assert list(await connection.run_sync(differences, self.manifest.metadata)) == []
        finally:
            await engine.dispose()

    async def test_every_answer_that_was_seen_is_documented(self, service: ServiceUnderTest) -> None:
        patterns = [
            (re.compile(re.sub(r"\{[^}]+\}", "[^/]+", path)), method, operation)
            for path, method, operation in _operations(openapi(self.manifest))
        ]
        undocumented = set()
        for method, path, status in service.answers:
            fitting = [
                operation for pattern, verb, operation in patterns if verb == method.lower() and pattern.fullmatch(path)
            ]
            told = {str(status), f"{status // 100}XX"}
            if fitting and not any(told & operation["responses"].keys() for operation in fitting):
                undocumented.add((method, path, status))
        assert undocumented == set()
