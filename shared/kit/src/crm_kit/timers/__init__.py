"""Work that is due at a time, or now but not within a request: durable, leased, retried."""

from crm_kit.timers.schedule import cancel_timers, set_timer
from crm_kit.timers.table import TIMER
from crm_kit.timers.worker import RetryLater, TimerHandler, TimerWorker

__all__ = ["TIMER", "RetryLater", "TimerHandler", "TimerWorker", "cancel_timers", "set_timer"]
