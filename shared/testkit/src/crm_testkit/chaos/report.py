"""The figures of a run, to be read and to be quoted."""

from collections import Counter
from collections.abc import Sequence
from typing import Any, Final, get_args

from crm_testkit.chaos.checker import Verdict
from crm_testkit.chaos.rounds import Outcome

_VERDICTS: Final[tuple[str, ...]] = get_args(Verdict)


def figures(bus: str, outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What one event log stood, as plain values."""
    found: Counter[str] = Counter(anomaly.verdict for outcome in outcomes for anomaly in outcome.anomalies)
    kinds = Counter(fault.partition(":")[0] for outcome in outcomes for fault in outcome.faults)
    return {
        "event_log": bus,
        "seeds": [outcome.seed for outcome in outcomes],
        "failed_seeds": [outcome.seed for outcome in outcomes if outcome.anomalies],
        "faults": sum(kinds.values()),
        "faults_by_kind": dict(sorted(kinds.items())),
        "acknowledged_writes": sum(outcome.acknowledged for outcome in outcomes),
        "unanswered_writes": sum(outcome.unanswered for outcome in outcomes),
        "messages": sum(outcome.messages for outcome in outcomes),
        "mails_taken": sum(outcome.mails for outcome in outcomes),
        "anomalies": {verdict: found[verdict] for verdict in _VERDICTS},
        "seconds": round(sum(outcome.seconds for outcome in outcomes)),
    }


def summary(run: dict[str, Any]) -> str:
    """The same for people."""
    kinds = "\n".join(f"  {number:5} x {kind}" for kind, number in run["faults_by_kind"].items())
    return (
        f"{run['event_log']}: {run['faults']} faults over {len(run['seeds'])} seeds in {run['seconds']} s; "
        f"{run['acknowledged_writes']:,} writes acknowledged, {run['unanswered_writes']} unanswered; "
        f"{run['messages']} messages, {run['mails_taken']} mails taken; "
        + ", ".join(f"{verdict} {number}" for verdict, number in run["anomalies"].items())
        + f"\n{kinds}"
    )
