"""Metrics of several processes as those of one."""

import pickle
from collections.abc import Iterable

from crm_kit.observability.scraping import Scrape
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families


def _collected(requests: Iterable[tuple[str, float]], started: float) -> list[Metric]:
    """As it comes from another process."""
    registry = CollectorRegistry()
    answered = Counter("answered", "Requests", ["route"], registry=registry)
    seconds = Histogram("seconds", "Time", ["route"], registry=registry, buckets=(0.1, 1))
    Gauge("process_start_time_seconds", "Start", registry=registry).set(started)
    for route, took in requests:
        answered.labels(route).inc()
        seconds.labels(route).observe(took)
    found: list[Metric] = pickle.loads(pickle.dumps(list(registry.collect())))  # just written
    return found


_REQUESTS = st.lists(st.tuples(st.sampled_from(["/a", "/b", '/"\n\\']), st.floats(0, 5)), max_size=20)


@given(each=st.lists(_REQUESTS, min_size=1, max_size=4))
def test_they_are_as_if_one_had_answered_everything(each: list[list[tuple[str, float]]]) -> None:
    apart = Scrape([_collected(requests, 100.0 + number) for number, requests in enumerate(each)])
    together = _collected([request for requests in each for request in requests], 100.0)
    assert _values(generate_latest(apart)) == _values(generate_latest(Scrape([together])))


def _values(text: bytes) -> dict[tuple[str, str], float]:
    families = list(text_string_to_metric_families(text.decode()))
    assert len({family.name for family in families}) == len(families)
    samples = [sample for family in families for sample in family.samples]
    return {(sample.name, str(sorted(sample.labels.items()))): round(sample.value, 6) for sample in samples}
