"""Work that is due at a time, or now but not within a request: durable, leased, retried."""

from crm_kit.timers.schedule import cancel_timers, set_timer, set_timers
from crm_kit.timers.table import TIMER
from crm_kit.timers.worker import Conclusion, Outside, RetryLater, TimerHandler, TimerWorker

__all__ = [
    "TIMER",
    "Conclusion",
    "Outside",
    "RetryLater",
    "TimerHandler",
    "TimerWorker",
    "cancel_timers",
    "set_timer",
    "set_timers",
]
