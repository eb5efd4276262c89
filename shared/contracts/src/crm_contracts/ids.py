"""TypeIDs: a type prefix and a UUIDv7 in Crockford base32 (TypeID specification 0.3, RFC 9562 §5.7)."""

import os
import re
import threading
import time
from datetime import UTC, datetime
from typing import Any, ClassVar, Self

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [high + low for high in _ALPHABET for low in _ALPHABET]
ID_SUFFIX = "[0-7][0-9a-hjkmnp-tv-z]{25}"
"""What follows the prefix and `_`, as a regular expression."""

_TYPE_ID = re.compile(rf"([a-z]([a-z_]{{0,61}}[a-z])?)_({ID_SUFFIX})")


class _Uuid7Generator:
    """UUIDv7 as integers, strictly increasing within this process (RFC 9562 §6.2, method 1)."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._millis = 0
        self._counter = 0

    def next(self) -> int:
        with self._lock:
            millis = time.time_ns() // 1_000_000
            if millis > self._millis:
                self._millis, self._counter = millis, int.from_bytes(os.urandom(2)) & 0x7FF
            elif self._counter < 0xFFF:
                self._counter += 1
            else:
                self._millis, self._counter = self._millis + 1, 0
            millis, counter = self._millis, self._counter
        random_bits = int.from_bytes(os.urandom(8)) & ((1 << 62) - 1)
        return (millis << 80) | (0x7 << 76) | (counter << 64) | (0b10 << 62) | random_bits


_generator = _Uuid7Generator()


def new_id(prefix: str) -> str:
    """A fresh id; ids made later in one process sort later."""
    value = _generator.next()
    digits = [_PAIRS[(value >> shift) & 1023] for shift in range(120, -1, -10)]
    return f"{prefix}_{''.join(digits)}"


def moment_of(value: str) -> datetime:
    """When a well-formed id was made, to the millisecond: its first ten digits are UUIDv7's time."""
    digits = value.rpartition("_")[2][:10]
    millis = sum(_ALPHABET.index(digit) << shift for digit, shift in zip(digits, range(45, -1, -5), strict=True))
    return datetime.fromtimestamp(millis / 1000, UTC)


def prefix_of(value: str) -> str | None:
    """The type prefix of a well-formed id; None if it is not one."""
    match = _TYPE_ID.fullmatch(value)
    return match.group(1) if match else None


class Id(str):
    """A TypeID of one entity type; subclasses name the prefix and are types of their own."""

    prefix: ClassVar[str]

    def __init_subclass__(cls, prefix: str, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.prefix = prefix

    @classmethod
    def new(cls) -> Self:
        return cls(new_id(cls.prefix))

    @classmethod
    def pattern(cls) -> str:
        return f"^{cls.prefix}_{ID_SUFFIX}$"

    @classmethod
    def parse(cls, value: str) -> Self:
        """Raises ValueError if `value` is not a well-formed id of this type."""
        if prefix_of(value) != cls.prefix:
            raise PydanticCustomError("id_format", "Must be an id of the form {prefix}_…", {"prefix": cls.prefix})
        return cls(value)

    @classmethod
    def __get_pydantic_core_schema__(cls, _source: Any, _handler: GetCoreSchemaHandler) -> CoreSchema:
        return core_schema.no_info_after_validator_function(cls.parse, core_schema.str_schema(strict=True))

    @classmethod
    def __get_pydantic_json_schema__(cls, _schema: CoreSchema, _handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        return {
            "type": "string",
            "pattern": cls.pattern(),
            "examples": [f"{cls.prefix}_01jd3zq8w9e2vbx7k5m4n6p8qr"],
        }


class TenantId(Id, prefix="tenant"): ...


class ApiKeyId(Id, prefix="key"): ...


class AllowedOriginId(Id, prefix="allowed_origin"): ...


class EventId(Id, prefix="event"): ...


class DeadLetterId(Id, prefix="dead_letter"): ...


class AuditEntryId(Id, prefix="audit"): ...


class UserId(Id, prefix="user"): ...


class TeamId(Id, prefix="team"): ...


class RoleId(Id, prefix="role"): ...


class IdentityProviderId(Id, prefix="identity_provider"): ...


class TransferId(Id, prefix="transfer"): ...


class InboundSourceId(Id, prefix="inbound_source"): ...


class InboundDeliveryId(Id, prefix="inbound_delivery"): ...


class InboundBackfillId(Id, prefix="inbound_backfill"): ...


class SyncConflictId(Id, prefix="sync_conflict"): ...


class JobId(Id, prefix="job"): ...


class ContactId(Id, prefix="contact"): ...


class AccountId(Id, prefix="account"): ...


class ActivityId(Id, prefix="activity"): ...


class ConsentId(Id, prefix="consent"): ...


class TerritoryId(Id, prefix="territory"): ...


class LifecycleId(Id, prefix="lifecycle"): ...


class PoolId(Id, prefix="pool"): ...


class ImportId(Id, prefix="import"): ...


class DuplicateId(Id, prefix="duplicate"): ...


class DuplicateScanId(Id, prefix="scan"): ...


class MergeId(Id, prefix="merge"): ...


class ExportId(Id, prefix="export"): ...


class RelationshipId(Id, prefix="relationship"): ...


class DateReminderId(Id, prefix="date_reminder"): ...


class DateOccurrenceId(Id, prefix="date_occurrence"): ...


class PrivacyRequestId(Id, prefix="privacy_request"): ...


class ConsentPurposeId(Id, prefix="consent_purpose"): ...


class PrivacyReceiptId(Id, prefix="privacy_receipt"): ...


class RetentionRuleId(Id, prefix="retention_rule"): ...


class RetentionRunId(Id, prefix="retention_run"): ...


class LegalHoldId(Id, prefix="legal_hold"): ...


class BulkChangeId(Id, prefix="bulk_change"): ...


class ValidationRuleId(Id, prefix="validation_rule"): ...


class TagRuleId(Id, prefix="tag_rule"): ...


class CustomFieldId(Id, prefix="custom_field"): ...


class PipelineId(Id, prefix="pipeline"): ...


class StageId(Id, prefix="stage"): ...


class DealId(Id, prefix="deal"): ...


class OrderId(Id, prefix="order"): ...


class ProductId(Id, prefix="product"): ...


class InvoiceId(Id, prefix="invoice"): ...


class PaymentId(Id, prefix="payment"): ...


class TicketId(Id, prefix="ticket"): ...


class TicketMessageId(Id, prefix="ticket_message"): ...


class QueueId(Id, prefix="queue"): ...


class TemplateId(Id, prefix="template"): ...


class SegmentId(Id, prefix="segment"): ...


class SegmentMemberId(Id, prefix="segment_member"): ...


class CampaignId(Id, prefix="campaign"): ...


class MessageId(Id, prefix="message"): ...


class UnsubscribeId(Id, prefix="unsubscribe"): ...


class WebhookEndpointId(Id, prefix="webhook_endpoint"): ...


class WebhookDeliveryId(Id, prefix="webhook_delivery"): ...


class WebhookReplayId(Id, prefix="webhook_replay"): ...
