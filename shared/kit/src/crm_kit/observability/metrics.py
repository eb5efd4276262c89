"""Prometheus metrics. Labels are bounded: never an id, never a tenant."""

from prometheus_client import Counter, Gauge, Histogram, disable_created_metrics

# When a series began is nobody's question, and would be a series more for each.
disable_created_metrics()  # type: ignore[no-untyped-call]  # the library leaves it untyped

REQUESTS = Counter("crm_http_requests_total", "Requests answered", ["service", "method", "route", "status"])
REQUEST_SECONDS = Histogram(
    "crm_http_request_seconds",
    "Time from the request's head to the end of its answer",
    ["service", "method", "route"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
OUTBOX_EVENTS = Gauge("crm_outbox_events", "Events not yet published, up to 100,000", ["service"])
OUTBOX_AGE = Gauge("crm_outbox_oldest_seconds", "Age of the oldest event not yet published", ["service"])
OUTBOX_RELAYED = Counter("crm_outbox_relayed_total", "Events published", ["service"])
OUTBOX_QUARANTINED = Counter("crm_outbox_quarantined_total", "Events that can never be published", ["service"])
EVENTS_APPLIED = Counter("crm_consumer_events_total", "Events applied", ["service", "consumer"])
EVENTS_PARKED = Counter("crm_consumer_parked_total", "Events parked", ["service", "consumer"])
DEAD_LETTERS = Gauge("crm_dead_letters", "Dead letters waiting for somebody", ["service", "stage", "consumer"])
DEAD_LETTERS_OLDEST = Gauge(
    "crm_dead_letters_oldest_seconds", "Age of the oldest dead letter", ["service", "stage", "consumer"]
)
DEAD_LETTERS_REPLAYED = Counter(
    "crm_dead_letters_replayed_total", "Dead letters replayed", ["service", "stage", "consumer", "outcome"]
)
DEAD_LETTERS_DISCARDED = Counter(
    "crm_dead_letters_discarded_total", "Dead letters discarded", ["service", "stage", "consumer"]
)
EVENT_DELAY = Histogram(
    "crm_consumer_delay_seconds",
    "Time from an entity's change to its effect here",
    ["service", "consumer"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
CONSUMER_LAG = Gauge("crm_consumer_lag_events", "Events published and not yet applied", ["service", "consumer"])
CONSUMER_LAG_SECONDS = Gauge(
    "crm_consumer_lag_seconds", "How long the oldest event not yet applied has been in the log", ["service", "consumer"]
)
TIMERS_RUN = Counter("crm_timers_total", "Timers run", ["service", "kind", "outcome"])
TIMERS_DUE = Gauge("crm_timers_due", "Timers that are due, up to 100,000 in all", ["service", "kind"])
TIMERS_OVERDUE = Gauge("crm_timers_overdue_seconds", "How long the first of them has been due", ["service", "kind"])
JOBS = Gauge("crm_jobs", "Jobs that have not ended", ["service", "kind", "status"])
JOBS_OLDEST = Gauge("crm_jobs_oldest_seconds", "Age of the oldest job that has not ended", ["service", "kind"])
JOBS_UNMOVED = Gauge(
    "crm_jobs_unmoved_seconds", "How long a job that has not ended has made no step", ["service", "kind"]
)
POOL_CONNECTIONS = Gauge(
    "crm_db_pool_connections", "Connections to PostgreSQL that this process has open", ["service", "pool", "state"]
)
POOL_LIMIT = Gauge("crm_db_pool_limit", "Connections that it opens at most", ["service", "pool"])
AUDIT_SEALED = Counter("crm_audit_sealed_total", "Audit entries sealed", ["service"])
AUDIT_UNSEALED_AGE = Gauge(
    "crm_audit_unsealed_oldest_seconds", "Age of the oldest audit entry not yet sealed", ["service"]
)
AUDIT_FAILURES = Counter("crm_audit_failures_total", "Rounds of sealing or retention that failed", ["service", "work"])
AUDIT_PURGED = Counter("crm_audit_purged_total", "Audit entries removed after their time", ["service"])
