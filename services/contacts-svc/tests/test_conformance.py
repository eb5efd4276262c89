"""contacts-svc keeps what every service promises."""

from contacts_svc.manifest import MANIFEST
from crm_contracts.ids import ContactId, TeamId, UserId
from crm_contracts.registry import (
    ACCOUNT,
    ACTIVITY,
    CONSENT,
    CONSENT_PURPOSE,
    CONTACT,
    CUSTOM_FIELD,
    DATE_REMINDER,
    LEGAL_HOLD,
    POOL,
    RELATIONSHIP,
    RETENTION_RULE,
    TAG_RULE,
    TERRITORY,
    VALIDATION_RULE,
)
from crm_testkit.conformance import Sample, ServiceConformance
from crm_testkit.service import Tenant


async def _a_contact(tenant: Tenant) -> dict[str, str]:
    contact = await tenant.create("/v1/contacts", full_name="王伟")
    return {"contact_id": contact["id"]}


async def _two_ends(tenant: Tenant) -> dict[str, str]:
    account = await tenant.create("/v1/accounts", name="云帆")
    return {**await _a_contact(tenant), "account_id": account["id"]}


_CONTACT_ID = ContactId.new()


class TestConformance(ServiceConformance):
    manifest = MANIFEST
    without_sample = {
        "/v1/imports": "a file comes as a form; see tests/imports",
        "/v1/merges": "made by merging contacts; see tests/merges",
        "/v1/duplicates": "found by scans; see tests/duplicates",
        "/v1/duplicate-scans": "one at a time, and changed by its job; see tests/duplicates",
        "/v1/date-occurrences": "they come by themselves; see tests/date_reminders",
        "/v1/bulk-changes": "a job goes on with what was created; see tests/bulk_changes",
        "/v1/exports": "a job goes on with what was created; see tests/exports",
        "/v1/privacy-requests": "ends when all services have done their part; see tests/e2e/test_privacy.py",
    }
    samples = (
        Sample(
            path="/v1/contacts",
            topic=CONTACT,
            body=lambda n, _: {
                "full_name": f"Person {n}",
                "title": "Buyer",
                "emails": [{"address": f"Person.{n}@Example.com"}],
                "external_ids": {"shop": str(n)},
            },
            patch={"title": "Head of purchasing"},
            text="title",
            clears="title",
            counter="custom.n",
            equals=("email", "emails.0.address"),
            upsert="email",
        ),
        Sample(
            path="/v1/consent-purposes",
            topic=CONSENT_PURPOSE,
            body=lambda n, _: {
                "purpose": f"news-{n}",
                "label": {"en": f"News {n}", "zh": f"资讯 {n}"},
                "wording": "I agree to news by e-mail.",
                "channels": ["email"],
            },
            patch={"wording": "I agree to news by e-mail, until I say otherwise."},
            text="wording",
            equals=("purpose", "purpose"),
        ),
        Sample(
            path="/v1/accounts",
            topic=ACCOUNT,
            body=lambda n, _: {"name": f"Company {n}", "industry": "Retail", "domain": f"c{n}.example.com"},
            patch={"industry": "Wholesale", "size": 20},
            text="industry",
            clears="industry",
            counter="custom.n",
            integer="size",
            equals=("domain", "domain"),
            upsert="domain",
        ),
        Sample(
            path="/v1/activities",
            topic=ACTIVITY,
            body=lambda n, _: {"kind": "note", "subject": f"Call {n}", "contact_id": _CONTACT_ID},
            patch={"kind": "call", "direction": "inbound"},
            text="body",
            clears="subject",
            counter="data.n",
            equals=("subject", "subject"),
        ),
        Sample(
            path="/v1/contacts/{contact_id}/consents",
            topic=CONSENT,
            prepare=_a_contact,
            body=lambda n, _: {
                "channel": "email",
                "purpose": f"purpose-{n}",
                "status": "granted",
                "source": "form",
            },
            patch={},
            text="wording",
            created="granted",
        ),
        Sample(
            path="/v1/territories",
            topic=TERRITORY,
            body=lambda n, _: {
                "name": f"Territory {n}",
                "resource": "accounts",
                "where": {"field": "industry", "op": "eq", "value": f"Industry {n}"},
                "team_id": TeamId.new(),
                "owner_id": UserId.new(),
            },
            patch={"name": "East"},
            text="name",
            clears="owner_id",
            integer="position",
            equals=("name", "name"),
        ),
        Sample(
            path="/v1/pools",
            topic=POOL,
            body=lambda n, _: {"name": f"Pool {n}", "hold_limit": 50, "team_ids": [TeamId.new()]},
            patch={"return_after_days": 30},
            text="name",
            clears="hold_limit",
            integer="hold_limit",
            equals=("name", "name"),
        ),
        Sample(
            path="/v1/relationships",
            topic=RELATIONSHIP,
            prepare=_two_ends,
            body=lambda n, ids: {**ids, "label": f"Role {n}", "note": "x", "started_on": "2026-01-01"},
            patch={"primary": True, "ended_on": "2026-12-31"},
            text="note",
            clears="note",
            equals=("label", "label"),
        ),
        Sample(
            path="/v1/date-reminders",
            topic=DATE_REMINDER,
            body=lambda n, _: {
                "name": f"Reminder {n}",
                "field": "birthday",
                "days_before": 7,
                "time_zone": "Asia/Shanghai",
            },
            patch={"at": "08:30"},
            text="name",
            integer="days_before",
            equals=("name", "name"),
        ),
        Sample(
            path="/v1/retention-rules",
            topic=RETENTION_RULE,
            body=lambda n, _: {
                "name": f"Rule {n}",
                "resource": "contacts",
                "where": {"field": "source", "op": "eq", "value": f"fair {n}"},
                "counted_from": "last_activity_at",
                "after_days": 730,
                "action": "archive",
                "reason": "Storage limitation",
            },
            patch={"after_days": 800},
            text="name",
            integer="after_days",
            equals=("name", "name"),
        ),
        Sample(
            path="/v1/legal-holds",
            topic=LEGAL_HOLD,
            prepare=_a_contact,
            body=lambda n, ids: {**ids, "reason": f"File {n}", "until": "2098-01-01T00:00:00Z"},
            patch={"until": "2099-01-01T00:00:00Z"},
            text="reason",
            clears="until",
        ),
        Sample(
            path="/v1/tag-rules",
            topic=TAG_RULE,
            body=lambda n, _: {
                "name": f"Rule {n}",
                "description": "x",
                "tag": f"rule-{n}",
                "where": {"field": "orders.total.CNY", "op": "gte", "value": "10000"},
                "time_zone": "Asia/Shanghai",
            },
            patch={"active": False},
            text="name",
            clears="description",
            equals=("tag", "tag"),
        ),
        Sample(
            path="/v1/validation-rules",
            topic=VALIDATION_RULE,
            body=lambda n, _: {
                "resource": "accounts",
                "condition": {"field": "industry", "op": "exists", "value": True},
                "when": {"field": "name", "op": "eq", "value": f"Company of rule {n}"},
                "code": f"rule_{n}",
                "message": {"en": f"Rule {n}"},
                "field": "industry",
            },
            patch={"active": False},
            text="message.en",
            clears="field",
            equals=("code", "code"),
        ),
        Sample(
            path="/v1/custom-fields",
            topic=CUSTOM_FIELD,
            body=lambda n, _: {
                "resource": "activities",
                "name": f"field_{n}",
                "label": {"en": f"Field {n}"},
                "description": {"zh": "说明"},
                "type": "choice",
                "choices": [{"value": "a", "label": {"en": "A"}}],
                "default": "a",
            },
            patch={"required": True},
            text="label.en",
            clears="description",
            equals=("name", "name"),
        ),
    )
