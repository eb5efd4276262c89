"""Metrics of several processes as those of one: sums, but where a sum would say nothing."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from prometheus_client.metrics_core import Metric
from prometheus_client.samples import Sample

_BY: Final[Mapping[str, Callable[[float, float], float]]] = {
    "process_start_time_seconds": min,  # what began with the first of them
    "process_max_fds": min,
    "process_open_fds": max,  # whoever comes first to the limit
    "python_info": max,
}


class Scrape:
    """A collector of what several have collected. Gauges of backlogs are set by one process alone, so a sum is that one's."""

    def __init__(self, collected: Iterable[Iterable[Metric]]) -> None:
        self._collected = collected

    def collect(self) -> Iterator[Metric]:
        whole: dict[str, Metric] = {}
        samples: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], Sample]] = {}
        for metrics in self._collected:
            for metric in metrics:
                whole.setdefault(metric.name, metric)
                found = samples.setdefault(metric.name, {})
                for sample in metric.samples:
                    key = (sample.name, tuple(sorted(sample.labels.items())))
                    found[key] = _together(found[key], sample) if key in found else sample
        for name, metric in whole.items():
            metric.samples = list(samples[name].values())
            yield metric


def _together(one: Sample, other: Sample) -> Sample:
    by = _BY.get(one.name)
    return one._replace(value=by(one.value, other.value) if by is not None else one.value + other.value)
