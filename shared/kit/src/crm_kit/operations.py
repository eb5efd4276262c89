"""What orchestrators and Prometheus ask, answered for all processes of the port by whichever is asked."""

import pickle
from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI, Request
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, generate_latest
from prometheus_client.metrics_core import Metric
from starlette.responses import JSONResponse, Response

from crm_kit.observability.scraping import Scrape
from crm_kit.runtime import Runtime

_LIVE: Final = b"L"
_READY: Final = b"R"
_METRICS: Final = b"M"


def add_operations(app: FastAPI, runtime: Runtime | None) -> None:
    """/healthz, /readyz and /metrics."""

    async def healthz(_request: Request) -> Response:
        if runtime is None:
            return _answer(None)
        return _answer(runtime.liveness_fault() or await _fault_of_others(runtime, _LIVE))

    async def readyz(_request: Request) -> Response:
        if runtime is None:
            return _answer(None)
        return _answer(await runtime.readiness_fault() or await _fault_of_others(runtime, _READY))

    async def metrics(_request: Request) -> Response:
        others = await runtime.siblings.ask(_METRICS) if runtime is not None else {}
        told: Iterable[bytes] = filter(None, others.values())
        collected: list[Iterable[Metric]] = [pickle.loads(each) for each in told]  # noqa: S301  # from a process forked from ours
        scraped = generate_latest(Scrape([REGISTRY.collect(), *collected])) if collected else generate_latest()
        return Response(scraped, media_type=CONTENT_TYPE_LATEST)

    app.add_route("/healthz", healthz, include_in_schema=False)
    app.add_route("/readyz", readyz, include_in_schema=False)
    app.add_route("/metrics", metrics, include_in_schema=False)
    if runtime is not None:
        _answer_others(runtime)


def _answer(fault: str | None) -> JSONResponse:
    body: dict[str, Any] = {"status": "ok"} if fault is None else {"status": "unavailable", "reason": fault}
    return JSONResponse(body, 200 if fault is None else 503)


async def _fault_of_others(runtime: Runtime, kind: bytes) -> str | None:
    for told in (await runtime.siblings.ask(kind)).values():
        if told is None:
            return "another process at its port does not answer"
        if told:
            return told.decode()
    return None


def _answer_others(runtime: Runtime) -> None:
    async def live() -> bytes:
        return (runtime.liveness_fault() or "").encode()

    async def ready() -> bytes:
        return (await runtime.readiness_fault() or "").encode()

    async def metrics() -> bytes:
        return pickle.dumps(list(REGISTRY.collect()), pickle.HIGHEST_PROTOCOL)

    for kind, answer in ((_LIVE, live), (_READY, ready), (_METRICS, metrics)):
        runtime.siblings.answer(kind, answer)
