"""What every answered request leaves behind: its metrics, its span and its line in the log."""

from typing import NamedTuple

from prometheus_client import Counter, Histogram

from crm_kit.context import Trace
from crm_kit.observability import metrics, tracing
from crm_kit.observability.access_log import Asked, access_log


class _Series(NamedTuple):
    answered: Counter
    seconds: Histogram
    asked: Asked


class RequestRecorder:
    """Of one process of a service. Methods and routes must be few: each pair with a status is a series of its own."""

    def __init__(self, service: str) -> None:
        self._service = service
        self._series: dict[tuple[str, str, int], _Series] = {}

    def record(
        self,
        *,
        method: str,
        route: str,
        status: int,
        seconds: float,
        request_id: str,
        trace: Trace,
        tenant_id: str | None,
    ) -> None:
        """One request that took so many seconds."""
        series = self._series.get((method, route, status))
        if series is None:
            series = self._series[(method, route, status)] = _Series(
                metrics.REQUESTS.labels(self._service, method, route, str(status)),
                metrics.REQUEST_SECONDS.labels(self._service, method, route),
                Asked(self._service, method, route, status),
            )
        series.answered.inc()
        series.seconds.observe(seconds)
        tracing.request_answered(trace, method=method, route=route, status=status, seconds=seconds, tenant_id=tenant_id)
        log = access_log()
        if log is not None:
            log.write(series.asked, seconds, request_id, trace.trace_id, tenant_id)
