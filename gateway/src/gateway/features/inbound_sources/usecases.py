"""What can be done with an inbound source."""

import asyncio
from datetime import timedelta
from typing import Any, Final, cast

from crm_contracts.ids import InboundSourceId
from crm_contracts.inbound import InboundSource, SourceKind
from crm_contracts.types import format_timestamp
from crm_kit.db.session import WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.keyring import Keyring

from gateway.features.inbound_sources import repository, sealed_secrets
from gateway.features.inbound_sources.errors import SourceScopeNotHeld, SystemTaken, TooManySources
from gateway.features.inbound_sources.events import INBOUND_SOURCE_EVENTS
from gateway.features.inbound_sources.models import InboundSourceRow
from gateway.features.inbound_sources.pulls import schedule, write_pull
from gateway.features.inbound_sources.schemas import (
    GENERIC,
    AuthenticationWrite,
    CreatedInboundSource,
    InboundSourceWrite,
    PayloadPreview,
    PayloadPreviewRequest,
    PlannedRecord,
    SourceSecretRotation,
)
from gateway.inbound.mappings import MappingFailed, Planned, TopicMapping, Wanted, mapping_of, plan
from gateway.inbound.ready import ready_mappings
from gateway.inbound.topics import NO_TOPIC, topic_of

_MOST: Final = 100
_GIVEN: Final = ("read", "write")
_PLAIN: Final = (
    "name",
    "is_active",
    "topic_header",
    "topic_expression",
    "dedupe_expression",
    "dedupe_window_seconds",
    "country",
    "currency",
    "on_ambiguous",
    "max_body_bytes",
)


async def create_source(
    session: WriteSession, data: InboundSourceWrite, caller: Principal, keyring: Keyring
) -> CreatedInboundSource:
    """The only time that a secret leaves the gateway. Raises SourceScopeNotHeld, SystemTaken, TooManySources, ValidationFailed."""
    _check_held(caller)
    await repository.lock_sources(session)
    if await repository.count(session) >= _MOST:
        raise TooManySources(Text(f"A tenant has {_MOST} at most.", f"每个租户最多 {_MOST} 个。"))
    source_id = InboundSourceId.new()
    authentication = _authentication(data)
    opened, shown = sealed_secrets.chosen(
        data.kind, authentication.scheme if authentication else None, data.secret, data.callback
    )
    row = InboundSourceRow(
        id=source_id,
        kind=data.kind,
        system=data.system or data.kind,
        receive_id=data.callback.receive_id if data.callback else None,
        region=caller.region,
        sealed=sealed_secrets.seal(keyring, source_id, opened),
        secret_rotated_at=await session.now(),
        **{member: getattr(data, member) for member in _PLAIN},
    )
    _write(row, data)
    write_pull(row, data, keyring)
    if await repository.has_system(session, row.system, row.id):
        raise SystemTaken
    await schedule(session, row, None)
    created = await INBOUND_SOURCE_EVENTS.created(session, row)
    return CreatedInboundSource(**created.model_dump(), secret=shown)


async def change_source(
    session: WriteSession,
    row: InboundSourceRow,
    data: InboundSourceWrite,
    caller: Principal,
    keyring: Keyring,
) -> None:
    """Raises SourceScopeNotHeld, ValidationFailed."""
    _check_held(caller)
    before = INBOUND_SOURCE_EVENTS.snapshot(row)
    faults = []
    if data.kind != row.kind or (data.system or row.system) != row.system:
        member = "kind" if data.kind != row.kind else "system"
        text = Text("It stays as it was written: make another source", "创建后不可修改：请新建来源")
        faults.append(FieldError(f"/{member}", "immutable", text))
    if data.secret is not None or data.callback is not None:
        member = "secret" if data.secret is not None else "callback"
        text = Text("Use /rotate-secret", "请使用 /rotate-secret")
        faults.append(FieldError(f"/{member}", "rotate", text))
    if faults:
        raise ValidationFailed(Text("The source is not valid; see errors.", "来源无效，见 errors。"), errors=faults)
    for member in _PLAIN:
        setattr(row, member, getattr(data, member))
    _write(row, data)
    write_pull(row, data, keyring)
    await schedule(session, row, before)
    await INBOUND_SOURCE_EVENTS.updated(session, row, before)


async def delete_source(session: WriteSession, row: InboundSourceRow, caller: Principal) -> None:
    """What it sent stays as long as it would have; nothing of it that is not processed yet is."""
    _check_held(caller)
    await INBOUND_SOURCE_EVENTS.deleted(session, row)


async def rotate_secret(
    session: WriteSession,
    row: InboundSourceRow,
    data: SourceSecretRotation,
    caller: Principal,
    keyring: Keyring,
) -> CreatedInboundSource:
    """Raises SourceScopeNotHeld, ValidationFailed."""
    _check_held(caller)
    before = INBOUND_SOURCE_EVENTS.snapshot(row)
    opened, shown = sealed_secrets.chosen(cast("SourceKind", row.kind), _scheme(row), data.secret, data.callback)
    now = await session.now()
    row.previous_sealed = row.sealed if data.overlap_seconds else None
    row.previous_secret_until = now + timedelta(seconds=data.overlap_seconds) if data.overlap_seconds else None
    row.sealed = sealed_secrets.seal(keyring, row.id, opened)
    row.secret_rotated_at = now
    if data.callback is not None:
        row.receive_id = data.callback.receive_id
    await INBOUND_SOURCE_EVENTS.updated(session, row, before)
    return CreatedInboundSource(**INBOUND_SOURCE_EVENTS.snapshot(row).model_dump(), secret=shown)


def _scheme(row: InboundSourceRow) -> str | None:
    return row.authentication["scheme"] if row.authentication is not None else None


def _authentication(data: InboundSourceWrite) -> AuthenticationWrite | None:
    if data.kind not in GENERIC:
        return None
    return data.authentication or AuthenticationWrite(scheme="standard_webhooks")


def _write(row: InboundSourceRow, data: InboundSourceWrite) -> None:
    authentication = _authentication(data)
    row.authentication = authentication.model_dump(mode="json") if authentication else None
    row.mappings = (
        {
            topic: mapping.model_dump(mode="json", exclude_defaults=True) | {"steps": _steps(mapping)}
            for topic, mapping in data.mappings.items()
        }
        if data.mappings is not None
        else None
    )
    row.system_of_record = data.system_of_record.model_dump(mode="json")


def _steps(mapping: TopicMapping) -> list[Any]:
    return [step.model_dump(mode="json", exclude_defaults=True) for step in mapping.steps]


def _check_held(caller: Principal) -> None:
    lacking = [scope for scope in _GIVEN if not caller.may(scope)]
    if lacking:
        raise SourceScopeNotHeld(
            Text(f"Your key lacks {', '.join(lacking)}.", f"当前密钥缺少权限：{', '.join(lacking)}。"),
            members={"missing_permission": lacking[0]},
        )


async def preview(source: InboundSource, asked: PayloadPreviewRequest, region: str) -> PayloadPreview:
    """What a payload would become, written down and not done."""
    headers = {name.lower(): value for name, value in asked.headers.items()}
    topic = asked.topic or topic_of(source, headers, asked.payload) or NO_TOPIC
    own = own_mappings(source)
    mapping = mapping_of(topic, own, ready_mappings(cast("SourceKind", source.kind)))
    if mapping is None:
        return PayloadPreview(topic=topic, mapping=None, reason="no_mapping", detail=None, records=[])
    said = "own" if own and (topic in own or "*" in own) else "ready"
    try:
        planned = await asyncio.to_thread(plan, mapping, asked.payload, told_of(source, region))
    except MappingFailed as error:
        return PayloadPreview(topic=topic, mapping=said, reason="mapping_failed", detail=str(error), records=[])
    reason = None if planned else "nothing_to_do"
    return PayloadPreview(
        topic=topic, mapping=said, reason=reason, detail=None, records=[_shown(one) for one in planned]
    )


def own_mappings(source: InboundSource) -> dict[str, TopicMapping] | None:
    if source.mappings is None:
        return None
    return {topic: TopicMapping.model_validate(mapping) for topic, mapping in source.mappings.items()}


def told_of(source: InboundSource, region: str) -> dict[str, Any]:
    """What mappings know of the source."""
    return {"system": source.system, "country": source.country or region, "currency": source.currency}


def _shown(one: Planned) -> PlannedRecord:
    return PlannedRecord(
        resource=one.resource,
        method=one.method,
        external_id=one.external_id,
        at=format_timestamp(one.at) if one.at is not None else None,
        data=dict(one.data),
        add={name: list(items) for name, items in one.add.items()},
        refs={member: _shown_ref(wanted) for member, wanted in one.refs.items()},
    )


def _shown_ref(wanted: Wanted) -> dict[str, Any]:
    if wanted.planned is not None:
        return {"record": wanted.planned}
    found = {
        "resource": wanted.resource,
        "external_id": wanted.external_id,
        "email": wanted.email,
        "phone": wanted.phone,
    }
    return {name: value for name, value in found.items() if value is not None}
