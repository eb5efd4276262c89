"""How an endpoint answers: since when it fails, and until when it is left alone."""

import random
from datetime import datetime, timedelta

from crm_kit.db.models import utc_now

from gateway.features.webhook_deliveries import rules
from gateway.features.webhook_deliveries.attempts import Attempt
from gateway.features.webhook_deliveries.repository import Standing

_IDLE_REST: timedelta = timedelta(seconds=30)


class Condition:
    """`failures`: in a row. `recovered`: it answers again, which is not written down yet. `is_gone`: it said that it is."""

    def __init__(self, standing: Standing) -> None:
        self.failures = standing.failures
        self.last_success_at = standing.last_success_at
        self.failed_at: datetime | None = None
        self.succeeded_at: datetime | None = None
        self.rest_until: datetime | None = None
        self.recovered = False
        self.is_gone = False

    @property
    def is_failing(self) -> bool:
        """It is tried with one request at a time."""
        return self.failures >= rules.FAILURES

    @property
    def is_resting(self) -> bool:
        return self.rest_until is not None

    def note(self, attempt: Attempt) -> None:
        """What an attempt says of it."""
        now = utc_now()
        if attempt.is_success:
            self.recovered = self.recovered or self.is_failing
            self.failures, self.failed_at, self.succeeded_at, self.last_success_at = 0, None, now, now
            return
        self.failures += 1
        self.failed_at = self.failed_at or now
        self.is_gone = self.is_gone or attempt.status == rules.GONE
        pause = rules.rest(self.failures, _chance())
        if attempt.status == rules.TOO_MANY or attempt.retry_after is not None:
            asked = rules.wait(
                1, _chance(), retry_after=attempt.retry_after, throttled=attempt.status == rules.TOO_MANY
            )
            pause = max(pause or timedelta(), asked)
        if self.is_gone:
            pause = pause or _IDLE_REST
        if pause is not None:
            self.leave_alone(pause)

    def leave_alone(self, pause: timedelta = _IDLE_REST) -> None:
        """It is asked nothing for so long, at least."""
        self.rest_until = max(self.rest_until or utc_now(), utc_now() + pause)

    def next_attempt(self, attempts: int, attempt: Attempt, created_at: datetime) -> datetime | None:
        """When a delivery that did not arrive is tried again; None where it is given up."""
        arrived = self.last_success_at is not None and self.last_success_at > created_at
        if rules.is_given_up(attempts, others_arrived=arrived):
            return None
        throttled = attempt.status in rules.THROTTLED or attempt.error == "timeout"
        return utc_now() + rules.wait(attempts, _chance(), retry_after=attempt.retry_after, throttled=throttled)


def _chance() -> float:
    return random.random()  # noqa: S311  # jitter is no secret
