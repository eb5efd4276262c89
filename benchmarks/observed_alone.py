"""What is left behind of one request, by itself, in one process: `python benchmarks/observed_alone.py`. Microseconds of the
processor, the least of several runs: what a whole gateway on a busy machine shows only with the noise of all else.
"""

import asyncio
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

from crm_kit import context
from crm_kit.observability import metrics, tracing
from crm_kit.observability.access_log import AccessLog, use_access_log
from crm_kit.observability.otel import OpenTelemetryRecorder
from crm_kit.observability.requests import RequestRecorder
from crm_kit.observability.sampling import sampling_of
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan

_TIMES, _RUNS = 2_000, 15
_BATCH = 512
"""Spans that go to the collector together."""
_REQUEST: dict[str, Any] = {
    "method": "GET", "route": "/v1/customers/{customer_id}", "status": 200, "seconds": 0.002,
    "tenant_id": "tenant_01m8m1sdgseyfanagexr1savt2",
}  # fmt: skip


async def least(work: Callable[[], object], times: int = _TIMES) -> float:
    runs = []
    for _ in range(_RUNS):
        began = time.process_time()
        for _ in range(times):
            work()
        runs.append((time.process_time() - began) / times * 1e6)
        await asyncio.sleep(0.06)  # lines that were written go out here
    return round(min(runs), 2)


def _request(recorder: RequestRecorder) -> Callable[[], object]:
    """From its head to what is left behind of it."""
    return lambda: recorder.record(**_REQUEST, request_id="req-0123456789abcdef", trace=tracing.of_request(None))


async def main(nowhere: BinaryIO) -> None:
    counter = metrics.REQUESTS.labels("alone", "GET", "/", "200")
    histogram = metrics.REQUEST_SECONDS.labels("alone", "GET", "/")
    found = {"trace drawn": await least(lambda: tracing.of_request(None))}
    found["counter and histogram"] = await least(lambda: (counter.inc(), histogram.observe(0.002)))
    use_access_log(AccessLog(nowhere))
    request = _request(RequestRecorder("alone"))
    found["all, no traces"] = await least(request)
    recorder = OpenTelemetryRecorder("alone", "console", "kafka")
    spans: list[ReadableSpan] = []
    recorder._processor.on_end = spans.append  # type: ignore[method-assign]  # its thread would be measured too
    tracing.use_recorder(recorder, is_edge=True)
    for share in (0.01, 1.0):
        context.use_sampling(sampling_of("parentbased_traceidratio", share))
        found[f"all, {share:.0%} of traces, without the exporter"] = await least(request)
    batch = spans[-_BATCH:]
    found["a span encoded, in the exporter's thread"] = round(await least(lambda: encode_spans(batch), 10) / _BATCH, 2)
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    with Path(os.devnull).open("wb") as devnull:
        asyncio.run(main(devnull))
