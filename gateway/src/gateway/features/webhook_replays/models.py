"""The table of replays."""

from datetime import datetime

from crm_kit.db.models import CodePointText, EntityRow, Moment, text_list_column
from sqlalchemy import BigInteger, Index
from sqlmodel import Field

from gateway.base import Base


class WebhookReplayRow(EntityRow, Base, table=True):
    """Events of the journal that are told once more: those behind `start` up to `until` which fit.

    `position`: up to which they have been dealt with. `events`, `delivered`, `failed`: how many fitted so far, and what became of
    them. `done`: none is looked for any more, be it that it was `cancelled_at` a time.
    """

    __tablename__ = "webhook_replay"
    __table_args__ = (Index("webhook_replay_endpoint", "tenant_id", "endpoint_id", "id"),)

    endpoint_id: str = Field(sa_type=CodePointText, nullable=False)
    start: int | None = Field(default=None, sa_type=BigInteger)
    position: int = Field(sa_type=BigInteger, nullable=False)
    until: int = Field(sa_type=BigInteger, nullable=False)
    from_at: datetime | None = Field(default=None, sa_type=Moment)
    until_at: datetime | None = Field(default=None, sa_type=Moment)
    kinds: list[str] = text_list_column()
    customer_id: str | None = Field(default=None, sa_type=CodePointText)
    events: int = Field(default=0, sa_type=BigInteger, nullable=False)
    delivered: int = Field(default=0, sa_type=BigInteger, nullable=False)
    failed: int = Field(default=0, sa_type=BigInteger, nullable=False)
    done: bool = Field(default=False, nullable=False)
    cancelled_at: datetime | None = Field(default=None, sa_type=Moment)
