"""What has to be known of some operations to try all of them."""

from typing import Any

from crm_testkit.one_of_everything import DUPLICATE_SCANS, IMPORTS, LEGAL_HOLDS, PIPELINES, PRIVACY_REQUESTS

TENANTS, READY_ROLES = "/v1/tenants", "/v1/roles/ready"
MADE_OTHERWISE = {TENANTS, IMPORTS, DUPLICATE_SCANS, PRIVACY_REQUESTS, LEGAL_HOLDS}
"""By the administrator; of a file; one at a time; of a contact of its own, the last two."""

PUBLIC = {
    "/v1/preferences/{token}": "as the next",
    "/v1/unsubscribe/{token}": "the signed token is the permission, and names its tenant itself",
    "/scim/v2/ResourceTypes/{name}": "the same for everybody",
    "/scim/v2/Schemas/{name}": "the same for everybody",
}
ADMINISTRATION = {
    ("post", "/v1/tenants"),
    ("patch", "/v1/tenants/{entity_id}"),
    ("post", "/v1/tenants/{entity_id}/support-sessions"),
}

OWN_FROM_THE_START = {
    READY_ROLES,
    PIPELINES,
    TENANTS,
    "/v1/api-keys",
    "/v1/audit-log",
    "/v1/audit-log/export",
}
"""Lists that hold something of a new tenant's own."""

ACTIONS: dict[str, dict[str, Any]] = {
    "rotate_api_key": {},
    "make_preference_link": {},
    "open_support_session": {"staff": "陈静", "reason": "工单 4711"},
    "find_erasures": {"email": "x@example.com"},
    "claim_contact": {"user_id": "user_01jd3zq8w9e2vbx7k5m4n6p8qr"},
    "release_contact": {"reason": "x"},
    "merge_contacts": {"from": ["contact_01jd3zq8w9e2vbx7k5m4n6p8qr"]},
    "refund_order": {"amount": {"amount": "1.00", "currency": "CNY"}, "at": "2026-10-05T09:00:00Z"},
    "move_deal": {"stage_id": "stage_01jd3zq8w9e2vbx7k5m4n6p8qr"},
    "rotate_inbound_source_secret": {},
    "preview_inbound_payload": {"payload": {}},
    "start_inbound_backfill": {},
    "rerun_inbound_deliveries": {"source_id": "inbound_source_01jd3zq8w9e2vbx7k5m4n6p8qr"},
    "rotate_webhook_secret": {},
    "set_webhook_cursor": {"after": "beginning"},
    "match_webhook_event": {"event_id": "event_01jd3zq8w9e2vbx7k5m4n6p8qr"},
    "test_webhook_endpoint": {},
    "replay_webhook_events": {"after": "beginning"},
    "add_segment_members": {"contact_ids": ["contact_01jd3zq8w9e2vbx7k5m4n6p8qr"]},
}
"""Bodies of actions whose schema requires something, or that make an entity elsewhere than in a collection."""
