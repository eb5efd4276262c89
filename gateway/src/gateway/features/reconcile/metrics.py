"""What alarms watch (docs/guides/reconcile.md)."""

from prometheus_client import Counter, Gauge

SAMPLED = Counter("crm_reconcile_customers_total", "Customers compared with the services")
DRIFTED = Counter("crm_reconcile_drift_total", "Drift found", ["kind"])
REPAIRED = Counter("crm_reconcile_repairs_total", "Drift repaired, or tried to", ["kind", "outcome"])
UNSETTLED = Counter("crm_reconcile_unsettled_total", "Entities written to whenever they were looked at")
RUNS = Counter("crm_reconcile_runs_total", "Runs: done, incomplete where somebody did not answer, failed", ["outcome"])
LAST_RUN = Gauge("crm_reconcile_last_run_timestamp_seconds", "When the last run was done")
