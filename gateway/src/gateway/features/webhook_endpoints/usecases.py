"""What can be done with a webhook endpoint."""

from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from crm_contracts.ids import WebhookEndpointId, prefix_of
from crm_contracts.webhooks import StatusReason
from crm_kit.db.models import columns
from crm_kit.db.session import ReadSession, WriteSession
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.principal import Principal
from crm_kit.http.sealing import Sealer
from crm_kit.http.standard_webhooks import new_secret
from crm_kit.keyring import Keyring
from crm_kit.resources.listing import condition_problem
from sqlalchemy import select

from gateway.features.api_keys.models import ApiKeyRow
from gateway.features.webhook_endpoints import repository
from gateway.features.webhook_endpoints.errors import TooManyEndpoints
from gateway.features.webhook_endpoints.events import WEBHOOK_ENDPOINT_EVENTS
from gateway.features.webhook_endpoints.matching import condition_faults
from gateway.features.webhook_endpoints.models import SEALED_FOR, WebhookEndpointRow, WebhookProgressRow
from gateway.features.webhook_endpoints.rules import unknown_kinds
from gateway.features.webhook_endpoints.schemas import (
    CreatedWebhookEndpoint,
    SecretRotation,
    WebhookEndpointCreate,
    WebhookEndpointWrite,
)
from gateway.features.webhook_journal import repository as journal
from gateway.features.webhook_journal.cursors import begin_at

_MOST: Final = 200
_PLAIN: Final = (
    "url", "description", "where", "ordering", "rate_limit", "batch_size", "payload_version", "transport",
)  # fmt: skip
_LISTS: Final = ("kinds", "skip_origins")

_keys = columns(ApiKeyRow)


def sealer(keyring: Keyring) -> Sealer:
    """Of what endpoints keep secret; `keyring`: the installation's."""
    return Sealer(keyring, SEALED_FOR)


async def create_endpoint(
    session: WriteSession, data: WebhookEndpointCreate, caller: Principal, seal: Sealer
) -> CreatedWebhookEndpoint:
    """The only time that its secret leaves the gateway. Raises TooManyEndpoints, ValidationFailed, InvalidEventCursor."""
    if await repository.lock_count(session) >= _MOST:
        raise TooManyEndpoints(Text(f"A tenant has {_MOST} at most.", f"每个租户最多 {_MOST} 个。"))
    await _check(session, data)
    secret = data.secret or new_secret()
    row = WebhookEndpointRow(
        id=WebhookEndpointId.new(),
        url=data.url,
        ordering=data.ordering,
        batch_size=data.batch_size,
        payload_version=data.payload_version,
        transport=data.transport,
        secret=b"",
        region=caller.region,
    )
    row.secret = seal.seal(secret.encode(), row.id)
    await _write(session, row, data, seal)
    await _see_as(session, row, caller)
    created = await WEBHOOK_ENDPOINT_EVENTS.created(session, row)
    await journal.begin(session)
    place = await begin_at(session, data.after)
    session.add(
        WebhookProgressRow(
            tenant_id=session.tenant_id,
            endpoint_id=row.id,
            position=place.position,
            snapshot=place.snapshot,
            is_on=_is_pushed_to(row),
        )
    )
    return CreatedWebhookEndpoint(**created.model_dump(), secret=secret)


async def change_endpoint(
    session: WriteSession, row: WebhookEndpointRow, data: WebhookEndpointWrite, _caller: Principal, seal: Sealer
) -> None:
    """Raises ValidationFailed."""
    before = WEBHOOK_ENDPOINT_EVENTS.snapshot(row)
    await _check(session, data)
    await _write(session, row, data, seal)
    action = "updated"
    if data.status != before.status and not (data.status == "paused" and before.status == "disabled"):
        await _set_status(session, row, data.status, "asked" if data.status == "paused" else None)
        action = "paused" if data.status == "paused" else "resumed"
    if before.status != row.status or before.transport != row.transport or before.url != row.url:
        await repository.switch(session, row.id, is_on=_is_pushed_to(row))
    await WEBHOOK_ENDPOINT_EVENTS.updated(session, row, before, action=action)


async def delete_endpoint(session: WriteSession, row: WebhookEndpointRow, _caller: Principal) -> None:
    await repository.forget_progress(session, row.id)
    await WEBHOOK_ENDPOINT_EVENTS.deleted(session, row)


async def rotate_secret(
    session: WriteSession, row: WebhookEndpointRow, data: SecretRotation, seal: Sealer
) -> CreatedWebhookEndpoint:
    """A new secret; the one before signs beside it until the overlap ends."""
    before = WEBHOOK_ENDPOINT_EVENTS.snapshot(row)
    secret = data.secret or new_secret()
    now = await session.now()
    row.old_secret = row.secret
    row.old_secret_ends_at = now + timedelta(seconds=data.overlap_seconds)
    row.secret = seal.seal(secret.encode(), row.id)
    await WEBHOOK_ENDPOINT_EVENTS.updated(session, row, before)
    return CreatedWebhookEndpoint(**WEBHOOK_ENDPOINT_EVENTS.snapshot(row).model_dump(), secret=secret)


async def stop_endpoint(session: WriteSession, endpoint_id: str, reason: StatusReason) -> None:
    """Nothing is sent there until somebody resumes it; what is for it is kept."""
    statement = select(WebhookEndpointRow).where(columns(WebhookEndpointRow).id == endpoint_id).with_for_update()
    row = await session.scalar(statement.execution_options(populate_existing=True))
    if row is None or row.status != "active":
        return
    before = WEBHOOK_ENDPOINT_EVENTS.snapshot(row)
    status = "disabled" if reason == "gone" else "paused"
    await _set_status(session, row, status, reason)
    await repository.switch(session, row.id, is_on=False)
    await WEBHOOK_ENDPOINT_EVENTS.updated(session, row, before, action=status)


def with_status(row: WebhookEndpointRow, patch: dict[str, Any]) -> dict[str, Any]:
    """A patch of an endpoint that is disabled leaves it so, unless it says otherwise: for whoever writes it is paused."""
    return patch if "status" in patch or row.status != "disabled" else {**patch, "status": "paused"}


def secrets_of(row: WebhookEndpointRow, seal: Sealer, now: datetime) -> list[str]:
    """Those that sign: the present one first, and the one before until its time is over."""
    sealed = [row.secret]
    if row.old_secret is not None and row.old_secret_ends_at is not None and now < row.old_secret_ends_at:
        sealed.append(row.old_secret)
    return [seal.unseal(one, row.id).decode() for one in sealed]


def headers_of(row: WebhookEndpointRow, seal: Sealer) -> dict[str, str]:
    if row.headers is None:
        return {}
    found: dict[str, str] = orjson.loads(seal.unseal(row.headers, row.id))
    return found


def _is_pushed_to(row: WebhookEndpointRow) -> bool:
    return row.status == "active" and row.transport == "push"


async def _set_status(session: ReadSession, row: WebhookEndpointRow, status: str, reason: str | None) -> None:
    row.status, row.status_reason, row.status_at = status, reason, await session.now()


async def _write(session: ReadSession, row: WebhookEndpointRow, data: WebhookEndpointWrite, seal: Sealer) -> None:
    for name in _PLAIN:
        setattr(row, name, getattr(data, name))
    for name in _LISTS:
        setattr(row, name, list(dict.fromkeys(getattr(data, name))))
    row.fields = list(dict.fromkeys(data.fields)) if data.fields is not None else None
    if data.headers is not None:
        row.header_names = sorted(data.headers)
        row.headers = seal.seal(orjson.dumps(data.headers), row.id) if data.headers else None
    if not row.version and data.status == "paused":
        await _set_status(session, row, "paused", "asked")


async def _see_as(session: ReadSession, row: WebhookEndpointRow, caller: Principal) -> None:
    """What its events show is what its maker may see: with the rights of the user, or of the key's roles, as they change."""
    row.scopes = sorted(caller.scopes)
    if prefix_of(caller.subject) == "user":
        row.user_id = caller.subject
        return
    roles = await session.scalar(select(_keys.roles).where(_keys.id == caller.credential))
    row.roles = list(roles or ())


async def _check(session: ReadSession, data: WebhookEndpointWrite) -> None:
    text = Text("No event is of this kind", "没有此类事件")
    faults = [FieldError(f"/kinds/{place}", "unknown_kind", text) for place in unknown_kinds(data.kinds)]
    error: Any = None
    if data.where is not None and not faults:
        error = await condition_faults(session, data.kinds, data.where)
    if error is not None:
        faults += condition_problem(error).errors
    if faults:
        raise ValidationFailed(Text("The endpoint is not valid; see errors.", "端点无效，见 errors。"), errors=faults)
