"""One entity of every kind, made through the public API: what the end-to-end tests tell their stories with."""

import asyncio
import uuid
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import httpx

from crm_testkit.importing import imported
from crm_testkit.jobs import ended
from crm_testkit.shops import Shop

Json = dict[str, Any]
Ids = Mapping[str, str]
"""The id that each collection's path, as OpenAPI writes it, has given."""

CONTACTS, ACCOUNTS, ACTIVITIES = "/v1/contacts", "/v1/accounts", "/v1/activities"
CONSENTS, TERRITORIES = "/v1/contacts/{contact_id}/consents", "/v1/territories"
CUSTOM_FIELDS, POOLS, RELATIONSHIPS = "/v1/custom-fields", "/v1/pools", "/v1/relationships"
DATE_REMINDERS, DATE_OCCURRENCES = "/v1/date-reminders", "/v1/date-occurrences"
BULK_CHANGES, VALIDATION_RULES, TAG_RULES = "/v1/bulk-changes", "/v1/validation-rules", "/v1/tag-rules"

PIPELINES, DEALS, ORDERS = "/v1/pipelines", "/v1/deals", "/v1/orders"
PRODUCTS, INVOICES, PAYMENTS = "/v1/products", "/v1/invoices", "/v1/payments"
TICKETS, TICKET_MESSAGES = "/v1/tickets", "/v1/tickets/{ticket_id}/messages"
TEMPLATES, SEGMENTS, CAMPAIGNS, MESSAGES = "/v1/templates", "/v1/segments", "/v1/campaigns", "/v1/messages"
API_KEYS, ALLOWED_ORIGINS = "/v1/api-keys", "/v1/allowed-origins"
TEAMS, ROLES, USERS, IDENTITY_PROVIDERS = "/v1/teams", "/v1/roles", "/v1/users", "/v1/identity-providers"
TRANSFERS, IMPORTS, EXPORTS, JOBS = "/v1/transfers", "/v1/imports", "/v1/exports", "/v1/jobs"
MERGES, MOVED_REFERENCES = "/v1/merges", "/v1/moved-references"
DUPLICATES, DUPLICATE_SCANS = "/v1/duplicates", "/v1/duplicate-scans"
PRIVACY_REQUESTS, CONSENT_PURPOSES = "/v1/privacy-requests", "/v1/consent-purposes"
RETENTION_RULES, LEGAL_HOLDS = "/v1/retention-rules", "/v1/legal-holds"
INBOUND_SOURCES, INBOUND_DELIVERIES, SYNC_CONFLICTS = (
    "/v1/inbound-sources",
    "/v1/inbound-deliveries",
    "/v1/sync-conflicts",
)
WEBHOOK_ENDPOINTS = "/v1/webhook-endpoints"
SCIM_USERS, SCIM_GROUPS = "/scim/v2/Users", "/scim/v2/Groups"


def _contact(ids: Ids) -> Json:
    mark = uuid.uuid4().hex[:12]
    return {
        "full_name": "欧阳晓梅",
        "emails": [{"address": f"xiaomei.{mark}@example.com", "primary": True}],
        "phones": [{"number": "+86 138 0013 8000"}],
        "wechat": f"wx-{mark}",
        "account_id": ids[ACCOUNTS],
        "external_ids": {"erp": mark},
        "tags": ["vip"],
        "birthday": datetime.now(UTC).date().isoformat(),
        "custom": {"favourite_colour": "青"},
    }


BODIES: Mapping[str, Callable[[Ids], Json]] = {
    ACCOUNTS: lambda ids: {"name": "杭州云帆科技有限公司", "domain": "yunfan.example.com"},
    CONTACTS: _contact,
    CONSENTS: lambda ids: {"channel": "email", "purpose": "marketing", "status": "granted", "source": "form"},
    ACTIVITIES: lambda ids: {"kind": "call", "subject": "咨询价格", "contact_id": ids[CONTACTS]},
    RELATIONSHIPS: lambda ids: {
        "contact_id": ids[CONTACTS],
        "account_id": ids[ACCOUNTS],
        "label": f"采购 {uuid.uuid4().hex}",
        "started_on": "2026-01-01",
    },
    PIPELINES: lambda ids: {"name": "渠道销售"},
    DEALS: lambda ids: {
        "name": "年度框架",
        "contact_id": ids[CONTACTS],
        "account_id": ids[ACCOUNTS],
        "amount": {"amount": "128000.00", "currency": "CNY"},
    },
    ORDERS: lambda ids: {
        "number": f"SO-{uuid.uuid4().hex}",
        "contact_id": ids[CONTACTS],
        "total": {"amount": "1999.00", "currency": "CNY"},
        "status": "paid",
    },
    PRODUCTS: lambda ids: {
        "name": "滤芯",
        "source": "erp",
        "external_id": uuid.uuid4().hex,
        "unit_price": {"amount": "999.50", "currency": "CNY"},
    },
    INVOICES: lambda ids: {
        "number": f"INV-{uuid.uuid4().hex}",
        "contact_id": ids[CONTACTS],
        "order_id": ids[ORDERS],
        "total": {"amount": "1999.00", "currency": "CNY"},
        "due_at": "2026-12-31",
    },
    PAYMENTS: lambda ids: {
        "contact_id": ids[CONTACTS],
        "invoice_id": ids[INVOICES],
        "amount": {"amount": "1000.00", "currency": "CNY"},
        "method": "bank_transfer",
    },
    TICKETS: lambda ids: {"subject": "无法登录", "contact_id": ids[CONTACTS], "channel": "email"},
    TICKET_MESSAGES: lambda ids: {"body": "登录时报 500", "visibility": "internal"},
    TEMPLATES: lambda ids: {"name": "新品", "subject": "新品上市", "body_text": "{{ contact.full_name }}，您好！"},
    SEGMENTS: lambda ids: {"name": "全部客户"},
    CAMPAIGNS: lambda ids: {"name": "双十一", "segment_id": ids[SEGMENTS], "template_id": ids[TEMPLATES]},
    API_KEYS: lambda ids: {"name": "报表", "scopes": ["read"]},
    TEAMS: lambda ids: {"name": "华东销售部"},
    ROLES: lambda ids: {
        "name": f"渠道 {uuid.uuid4().hex}",
        "grants": [{"resources": ["contacts"], "actions": ["read"], "records": "team"}],
    },
    USERS: lambda ids: {
        "name": "陈静",
        "email": f"chen.{uuid.uuid4().hex}@example.com",
        "teams": [{"team_id": ids[TEAMS], "manager": True}],
    },
    WEBHOOK_ENDPOINTS: lambda ids: {"transport": "pull", "kinds": ["deal.*"], "description": "ERP"},
    TRANSFERS: lambda ids: {"resources": ["tickets"], "ids": [ids[TICKETS]], "to": {"team_id": ids[TEAMS]}},
    BULK_CHANGES: lambda ids: {
        "resource": "accounts",
        "ids": [ids[ACCOUNTS]],
        "action": "tag",
        "add_tags": [uuid.uuid4().hex],
    },
    EXPORTS: lambda ids: {"resource": "contacts", "columns": ["full_name", "custom"]},
    TERRITORIES: lambda ids: {
        "name": "浙江",
        "resource": "accounts",
        "where": {"field": "address.region", "op": "eq", "value": "浙江"},
        "team_id": ids[TEAMS],
        "owner_id": ids[USERS],
    },
    CUSTOM_FIELDS: lambda ids: {
        "resource": "accounts",
        "name": f"field_{uuid.uuid4().hex}",
        "label": {"en": "Customer number", "zh": "客户编号"},
        "type": "text",
        "rules": [{"kind": "pattern", "pattern": "[A-Z]{2}[0-9]{4}"}],
    },
    VALIDATION_RULES: lambda ids: {
        "resource": "accounts",
        "condition": {"field": "size", "op": "exists", "value": True},
        "when": {"field": "industry", "op": "eq", "value": uuid.uuid4().hex},
        "code": "size_needed",
        "message": {"en": "Say how many they are", "zh": "请填写人数"},
    },
    TAG_RULES: lambda ids: {
        "name": "高价值客户",
        "tag": uuid.uuid4().hex,
        "where": {"field": "orders.total.CNY", "op": "gt", "value": "1000000000"},
        "time_zone": "Asia/Shanghai",
    },
    POOLS: lambda ids: {"name": "华东公海", "team_ids": [ids[TEAMS]], "hold_limit": 200, "return_after_days": 30},
    CONSENT_PURPOSES: lambda ids: {
        "purpose": f"news-{uuid.uuid4().hex}",
        "label": {"en": "News", "zh": "资讯"},
        "wording": "我同意接收新品资讯，可随时撤回。",
        "channels": ["email", "wechat"],
    },
    DATE_REMINDERS: lambda ids: {
        "name": "生日祝福",
        "field": "birthday",
        "repeats": "once",
        "at": "00:00",
        "time_zone": "UTC",
    },
    RETENTION_RULES: lambda ids: {
        "name": "活动保留五年",
        "resource": "activities",
        "counted_from": "at",
        "after_days": 1826,
        "action": "delete",
        "reason": "PIPL 19",
    },
    IDENTITY_PROVIDERS: lambda ids: {
        "name": "企业登录",
        "issuer": "https://login.example.com",
        "audiences": [uuid.uuid4().hex],
    },
    INBOUND_SOURCES: lambda ids: {"name": "用友", "kind": "erp", "system": f"erp-{uuid.uuid4().hex}"},
    SCIM_USERS: lambda ids: {"userName": f"wei.{uuid.uuid4().hex}@example.com", "displayName": "王伟"},
    SCIM_GROUPS: lambda ids: {"displayName": "华南", "members": [{"value": ids[SCIM_USERS]}]},
    ALLOWED_ORIGINS: lambda ids: {"name": "门户", "origin": f"https://{uuid.uuid4().hex}.example.com"},
}
"""A body for every collection that can be created in, in an order in which each finds what it refers to."""


async def make_one_of_everything(client: httpx.AsyncClient) -> dict[str, str]:
    """Creates each of BODIES, one sent message, one import, two requests of a person. Returns the ids by collection path."""
    await _until_there_is_one(client, PIPELINES)
    ids: dict[str, str] = {}
    for collection, body in BODIES.items():
        ids[collection] = (await create(client, collection, body(ids), ids))["id"]
    ids[MESSAGES] = await _send_one_message(client, ids)
    ids[DATE_OCCURRENCES] = await _until_there_is_one(client, DATE_OCCURRENCES)
    ids[IMPORTS], ids[JOBS] = await import_a_file(client)
    for collection in (EXPORTS, BULK_CHANGES):
        await ended(client, f"{collection}/{ids[collection]}")
    for _ in range(2):  # of a contact of its own: nobody could delete it
        held = (await create(client, CONTACTS, {"full_name": "王伟"}, ids))["id"]
        ids[LEGAL_HOLDS] = (await create(client, LEGAL_HOLDS, {"contact_id": held, "reason": "117/2026"}, ids))["id"]
    for _ in range(2):
        asked = await create(client, PRIVACY_REQUESTS, {"kind": "export", "contact_id": ids[CONTACTS]}, ids)
        ids[PRIVACY_REQUESTS] = (await ended(client, f"{PRIVACY_REQUESTS}/{asked['id']}"))["id"]
    ids |= await _deliver(client)
    return ids | await _merge_and_scan(client)


async def _deliver(client: httpx.AsyncClient) -> dict[str, str]:
    """Two deliveries of a source, each of which says of a contact what somebody else has said otherwise."""
    body = {"name": "金蝶", "kind": "erp", "system": f"erp-{uuid.uuid4().hex}"}
    shop = Shop(client, await create(client, INBOUND_SOURCES, body, {}))
    address = f"{uuid.uuid4().hex}@example.com"
    await create(client, CONTACTS, {"emails": [{"address": address}], "title": "采购经理"}, {})
    for title in ("Buyer", "Head of purchasing"):
        customer = {"id": "C-1", "email": address, "title": title, "updated_at": datetime.now(UTC).isoformat()}
        answer = await shop.standard({"customers": [customer]})
        assert answer.status_code == 200, answer.text
        delivery_id = str(answer.json()["delivery_id"])
        conflict_id = await _until_there_is_one(client, SYNC_CONFLICTS, {"delivery_id": delivery_id})
    return {INBOUND_DELIVERIES: delivery_id, SYNC_CONFLICTS: conflict_id}


async def _merge_and_scan(client: httpx.AsyncClient) -> dict[str, str]:
    """Two of each: merges, pairs of duplicates, and scans that have ended."""
    same = {"full_name": "司马相如", "phones": [{"number": "+8613912340000"}], "wechat": "xiangru"}
    contacts = [(await create(client, CONTACTS, same, {}))["id"] for _ in range(5)]
    for _ in range(2):
        body = {"from": [contacts.pop()]}
        answer = await client.post(f"{CONTACTS}/{contacts[0]}/merge", json=body)
        assert answer.status_code == 201, answer.text
        merge_id = answer.json()["merge"]["id"]
    for _ in range(2):
        scan = await create(client, DUPLICATE_SCANS, {}, {})
        await ended(client, f"{DUPLICATE_SCANS}/{scan['id']}")
    pairs = (await client.get(DUPLICATES)).json()["data"]
    return {
        MERGES: merge_id,
        MOVED_REFERENCES: merge_id,
        DUPLICATE_SCANS: scan["id"],
        DUPLICATES: pairs[0]["id"],
    }


async def import_a_file(client: httpx.AsyncClient) -> tuple[str, str]:
    """The ids of the import and of its job."""
    found = await imported(client, "姓名,邮箱\n王伟,wang.wei@example.com\n".encode())
    return found["id"], found["job_id"]


async def create(client: httpx.AsyncClient, collection: str, body: Json, ids: Ids) -> Json:
    """POSTs into a collection, whose parents are those in `ids`, and expects 201."""
    answer = await client.post(fill(collection, ids), json=body)
    assert answer.status_code == 201, f"POST {collection} {body}: {answer.status_code} {answer.text}"
    created: Json = answer.json()
    return created


def fill(template: str, ids: Ids) -> str:
    """The path with each parameter replaced by the id of the collection before it."""
    segments = template.split("/")
    for index, segment in enumerate(segments):
        if segment.startswith("{"):
            collection = "/".join(template.split("/")[:index])
            segments[index] = ids[collection]
    return "/".join(segments)


async def _send_one_message(client: httpx.AsyncClient, ids: Ids) -> str:
    answer = await client.post(f"{SEGMENTS}/{ids[SEGMENTS]}/members", json={"contact_ids": [ids[CONTACTS]]})
    assert answer.status_code == 200, answer.text
    answer = await client.post(f"{CAMPAIGNS}/{ids[CAMPAIGNS]}/schedule", json={})
    assert answer.status_code == 200, answer.text
    async with asyncio.timeout(30):
        while (await client.get(f"{CAMPAIGNS}/{ids[CAMPAIGNS]}")).json()["status"] != "sent":
            await asyncio.sleep(0.05)
    return await _until_there_is_one(client, MESSAGES, {"campaign_id": ids[CAMPAIGNS]})


async def _until_there_is_one(client: httpx.AsyncClient, path: str, params: Mapping[str, str] | None = None) -> str:
    """What events bring about: a new tenant's pipeline, a message. Returns the first one's id."""
    async with asyncio.timeout(30):
        while not (data := (await client.get(path, params=params)).json()["data"]):
            await asyncio.sleep(0.05)
    return str(data[0]["id"])
