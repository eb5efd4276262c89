"""Asking the services in the name of a source."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

import orjson
from crm_kit.http.principal import Principal

from gateway.proxy.table import packaged_table
from gateway.upstream import ServiceClient, UpstreamUnavailable

_LATER: Final = frozenset({401, 408, 425, 429, 500, 502, 503, 504})
_READS: Final = frozenset({"/search", "/erasures"})
_RUNNING: Final = "request_in_progress"
_SECONDS: Final = 10.0


class TryLater(Exception):
    """A service cannot answer now; nothing of it is the delivery's fault."""


class RecordRefused(Exception):
    """A service has refused a record; `problem` is what it said."""

    def __init__(self, code: str, status: int, problem: Mapping[str, Any]) -> None:
        self.code = code
        self.status = status
        self.problem = problem
        super().__init__(code)

    @property
    def pointers(self) -> list[str]:
        faults = self.problem.get("errors")
        return (
            [str(each.get("pointer")) for each in faults if isinstance(each, dict)][:20]
            if isinstance(faults, list)
            else []
        )


class Calls:
    """Of one delivery. What is posted twice, since a process died in between, is done once: its key is of what it says."""

    def __init__(self, client: ServiceClient, caller: Principal, delivery_id: str) -> None:
        self._client = client
        self._caller = caller
        self._delivery_id = delivery_id

    @staticmethod
    def is_known(resource: str) -> bool:
        """Whether there is such a resource in this release."""
        return resource in packaged_table().services

    async def get(self, resource: str, record_id: str) -> dict[str, Any]:
        return await self._call("GET", resource, f"/{record_id}", None)

    async def search(self, resource: str, where: dict[str, Any], limit: int = 10) -> list[dict[str, Any]]:
        body = {"where": where, "sort": ["-created_at"], "limit": limit}
        found = (await self._call("POST", resource, "/search", body)).get("data")
        if not isinstance(found, list):
            raise TryLater(f"{resource} cannot be searched")
        return found

    async def erasures(self, name: str, value: str) -> list[dict[str, Any]]:
        """Of whoever had an address or number: `name` says which."""
        found = (await self._call("POST", "privacy-requests", "/erasures", {name: value})).get("data")
        if not isinstance(found, list):
            raise TryLater("privacy-requests answers what makes no sense")
        return found

    async def create(self, resource: str, data: Mapping[str, Any], path: str = "", part: str = "") -> dict[str, Any]:
        return await self._call("POST", resource, path, dict(data), part=part)

    async def patch(self, resource: str, record_id: str, patch: Mapping[str, Any], version: int) -> dict[str, Any]:
        return await self._call("PATCH", resource, f"/{record_id}", dict(patch), version=version)

    async def upsert(self, resource: str, data: Mapping[str, Any]) -> tuple[str, bool]:
        """By its external id; the record's id, and whether it was made."""
        operation = {"method": "upsert", "match": "external_id", "data": dict(data)}
        body = {"operations": [operation]}
        results = (await self._call("POST", resource, "/batch", body, part="upsert")).get("results")
        if not isinstance(results, list) or len(results) != 1:
            raise TryLater(f"{resource} answers what makes no sense")
        (result,) = results
        if result["status"] not in (200, 201):
            raise _refused(result["status"], result.get("error", {}))
        return str(result["id"]), result["status"] == 201

    async def _call(
        self,
        method: str,
        resource: str,
        path: str,
        body: dict[str, Any] | None,
        *,
        part: str = "",
        version: int | None = None,
    ) -> dict[str, Any]:
        service = packaged_table().services.get(resource)
        if service is None:
            raise RecordRefused("resource_unknown", 404, {})
        content = orjson.dumps(body) if body is not None else None
        headers = {"Accept": "application/json"}
        if content is not None:
            headers["Content-Type"] = "application/json"
        if method == "POST" and path not in _READS:
            digest = hashlib.sha256(content or b"").hexdigest()[:16]
            headers["Idempotency-Key"] = f'"{self._delivery_id}-{part or resource}-{digest}"'
        if version is not None:
            headers["If-Match"] = f'"{version}"'
        try:
            answer = await self._client.call(
                self._caller,
                service,
                method,
                f"/v1/{resource}{path}",
                headers=headers,
                content=content,
                timeout=_SECONDS,
            )
        except UpstreamUnavailable as error:
            raise TryLater(f"{service} does not answer") from error
        try:
            document = orjson.loads(answer.content or b"{}")
        except ValueError as error:
            raise TryLater(f"{service} answers what cannot be read") from error
        code = document.get("code") if isinstance(document, dict) else None
        if answer.status_code in _LATER or code == _RUNNING:
            raise TryLater(f"{service} answers {answer.status_code}")
        if not answer.is_success:
            raise _refused(answer.status_code, document)
        found: dict[str, Any] = document
        return found


def _refused(status: int, problem: Any) -> RecordRefused:
    said = problem if isinstance(problem, dict) else {}
    return RecordRefused(str(said.get("code", "refused"))[:64], status, said)
