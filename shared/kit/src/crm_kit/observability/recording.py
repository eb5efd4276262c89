"""Recording of spans, switched on by a process's settings. Who does not switch it on loads nothing of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from crm_kit import context
from crm_kit.observability import tracing
from crm_kit.observability.sampling import sampling_of
from crm_kit.settings import ServiceSettings

_SYSTEMS: Final = {"kafka": "kafka", "embedded": "relata.embedded"}


@contextmanager
def recording(service: str, settings: ServiceSettings, *, is_edge: bool) -> Iterator[None]:
    """Within the block, spans are sent to where OTEL_TRACES_EXPORTER says; at its end what is left is."""
    exporter = "none" if settings.otel_sdk_disabled else settings.otel_traces_exporter
    if exporter == "none" or settings.otel_traces_sampler == "always_off":
        yield
        return
    from crm_kit.observability.otel import OpenTelemetryRecorder

    recorder = OpenTelemetryRecorder(service, exporter, _SYSTEMS[settings.bus])
    context.use_sampling(sampling_of(settings.otel_traces_sampler, settings.otel_traces_sampler_arg))
    tracing.use_recorder(recorder, is_edge=is_edge)
    try:
        yield
    finally:
        tracing.use_recorder(None)
        recorder.close()
