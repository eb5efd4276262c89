"""The demo tenant: created once through the gateway's public door, remembered, and used again."""

import asyncio
import json
import uuid
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import cast

from crm_local.errors import StackError
from crm_local.ports import HOST
from crm_local.run_folder import RunFolder, read_json, write_json


@dataclass(frozen=True, slots=True)
class Tenant:
    """Its id, and an API key that may read and write all of it."""

    tenant_id: str
    api_key: str


async def ensure_tenant(folder: RunFolder, gateway_port: int, admin_key: str) -> Tenant:
    """The remembered one if the gateway still knows its key, else a new one; raises `StackError`."""
    stored = read_json(folder.tenant_file) or {}
    tenant_id, api_key, attempt = (stored.get(name) for name in ("tenant_id", "api_key", "idempotency_key"))
    if isinstance(tenant_id, str) and isinstance(api_key, str):
        status, _ = await call_gateway(gateway_port, "GET", "/v1/contacts?limit=1", api_key)
        if status != 401:
            return Tenant(tenant_id, api_key)
        attempt = None  # another database: nobody there knows this key
    if isinstance(attempt, str) and (tenant := await _create(folder, gateway_port, admin_key, attempt)):
        return tenant
    # Written before it is sent: killed in between, the next start repeats it and gets the same tenant.
    attempt = str(uuid.uuid4())
    write_json(folder.tenant_file, {"idempotency_key": attempt})
    if tenant := await _create(folder, gateway_port, admin_key, attempt):
        return tenant
    raise StackError("the gateway refused to create the demo tenant: see gateway.log in the folder of logs")


async def _create(folder: RunFolder, port: int, admin_key: str, attempt: str) -> Tenant | None:
    demo = {"name": "Demo", "region": "CN"}
    status, answer = await call_gateway(port, "POST", "/v1/tenants", admin_key, body=demo, idempotency_key=attempt)
    tenant_id, api_key = answer.get("id"), answer.get("api_key")
    if status != 201 or not isinstance(tenant_id, str) or not isinstance(api_key, str):
        return None
    write_json(folder.tenant_file, {"tenant_id": tenant_id, "api_key": api_key, "idempotency_key": attempt})
    return Tenant(tenant_id, api_key)


async def offer_sign_in(gateway_port: int, tenant: Tenant, gateway_url: str) -> bool:
    """Lets the development issuer sign people in to the demo tenant, in any ready role; True where it may."""
    status, ready = await call_gateway(gateway_port, "GET", "/v1/roles/ready", tenant.api_key)
    if status != 200:
        return False
    names = [str(role["name"]) for role in cast("list[dict[str, object]]", ready.get("data", []))]
    provider = {
        "name": "Development issuer",
        "issuer": f"{gateway_url}/development/issuer",
        "audiences": [tenant.tenant_id],
        "trust_email": True,
        "claims": {"roles": "roles"},
        "roles": [{"value": name, "role": name} for name in names],
    }
    status, answer = await call_gateway(
        gateway_port, "POST", "/v1/identity-providers", tenant.api_key, body=provider, idempotency_key=str(uuid.uuid4())
    )
    return status == 201 or answer.get("code") == "audience_taken"  # since an earlier start


async def answers_ready(port: int, seconds: float = 2.0) -> bool:
    """True if `/readyz` answers 200."""
    try:
        async with asyncio.timeout(seconds):
            reader, writer = await asyncio.open_connection(HOST, port)
            try:
                writer.write(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
                status_line = await reader.readline()
            finally:
                writer.close()
    except OSError:
        return False
    return status_line.split(b" ")[1:2] == [b"200"]


async def call_gateway(
    port: int, method: str, path: str, key: str, *, body: object = None, idempotency_key: str | None = None
) -> tuple[int, dict[str, object]]:
    """Status and JSON of its answer; raises `StackError` where there is none."""
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}
    if idempotency_key is not None:
        headers["Idempotency-Key"] = idempotency_key

    def call() -> tuple[int, dict[str, object]]:
        connection = HTTPConnection(HOST, port, timeout=30)
        try:
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
            return response.status, answer if isinstance(answer, dict) else {}
        finally:
            connection.close()

    try:
        return await asyncio.to_thread(call)
    except (OSError, HTTPException, ValueError) as error:
        raise StackError(f"the gateway did not answer {method} {path} as it should: {error}") from error
