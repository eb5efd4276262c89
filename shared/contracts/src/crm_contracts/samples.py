"""Examples made from a JSON schema: the same every time, and readable. Each is written once and kept for ever."""

import re
from collections.abc import Mapping
from typing import Any, Final

_BY_NAME: Final[Mapping[str, Any]] = {
    "address": "xiaomei@example.com",
    "amount": "1999.00",
    "birthday": "1990-05-17",
    "category": "tea",
    "body": "The second box arrived damaged.",
    "body_html": "<p>Dear {{ contact.full_name }}</p>",
    "body_text": "Dear {{ contact.full_name }}",
    "campaign_name": "Autumn greetings",
    "city": "杭州",
    "country": "CN",
    "district": "西湖区",
    "currency": "CNY",
    "custom": {"level": "gold"},
    "data": {"source_file": "2026-10.csv"},
    "description": "Bought within the last 90 days",
    "domain": "example.com",
    "en": "Level",
    "evidence": {"form": "newsletter"},
    "external_ids": {"erp": "K-1001"},
    "first_name": "晓梅",
    "full_name": "欧阳晓梅",
    "industry": "retail",
    "kind": "question",
    "label": "mobile",
    "language": "zh-CN",
    "last_name": "欧阳",
    "lost_reason": "Too expensive",
    "method": "bank_transfer",
    "name": "West Lake Trading",
    "next_step": "Send the offer",
    "number": "SO-2026-0001",
    "pattern": "[a-z]{4,6}",
    "phones.number": "+8613800138000",
    "postal_code": "310000",
    "purpose": "marketing",
    "quantity": "2",
    "reason": "no_consent",
    "reference": "SO-2026-0001 / RF18 5390 0754 7034",
    "refunds.reason": "damaged",
    "region": "浙江",
    "size": 120,
    "sku": "TEA-500",
    "source": "shop",
    "stage_name": "Offer",
    "status": "granted",
    "street": "Beishan Street 1",
    "subject": "About your order",
    "tags": ["vip"],
    "title": "Head of purchasing",
    "wechat": "xiaomei_1990",
    "where": {"field": "address.region", "op": "eq", "value": "浙江"},
    "zh": "级别",
}
_PLAIN: Final[Mapping[str, Any]] = {"integer": 1, "number": 1.5, "boolean": True, "null": None, "string": "text"}


def sample(schema: Mapping[str, Any], definitions: Mapping[str, Any], name: str = "") -> Any:
    """A value that `schema` accepts; `name` is the member that it stands at, such as `phones.number`."""
    if "$ref" in schema:
        return sample(definitions[schema["$ref"].rpartition("/")[2]], definitions, name)
    if "anyOf" in schema:
        return sample(_likeliest(schema["anyOf"]), definitions, name)
    if words := schema.get("enum") or schema.get("x-extensible-enum"):
        return (schema.get("examples") or words)[0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "string")
    for known in (_BY_NAME.get(name), _BY_NAME.get(name.rpartition(".")[2])):
        if known is not None and _fits(known, kind, schema.get("pattern", "")):
            return known
    if schema.get("examples"):
        return schema["examples"][0]
    if kind == "object":
        above = name.rpartition(".")[2]
        members = schema.get("properties", {})
        return {member: sample(inner, definitions, f"{above}.{member}") for member, inner in members.items()}
    if kind == "array":
        return [sample(schema["items"], definitions, name)] if "items" in schema else []
    return max(1, schema.get("minimum", 1)) if kind == "integer" else _PLAIN[kind]


def _likeliest(variants: list[Mapping[str, Any]]) -> Mapping[str, Any]:
    return next((variant for variant in variants if variant.get("type") != "null"), variants[0])


def _fits(value: Any, kind: str, pattern: str) -> bool:
    kinds: Mapping[str, type] = {"string": str, "object": dict, "array": list, "integer": int}
    matches = not isinstance(value, str) or re.search(pattern, value) is not None
    return kind in kinds and isinstance(value, kinds[kind]) and matches
