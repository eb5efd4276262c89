"""Which rejections of schema-valid input are right: rules that a JSON Schema cannot express.

Schemathesis loads this file (SCHEMATHESIS_HOOKS). No check is switched off: a finding is dropped only where the answer is
a problem whose codes all stand below. Whatever the schema could have said is not among them.
"""

import os
from typing import Any

import schemathesis
from schemathesis.core.failures import Failure

PROBLEMS = {
    "invalid_cursor": "a cursor is signed; only the server makes one",
    "idempotency_key_reused": "the same key with another body, by definition",
    "precondition_failed": "If-Match names a version that nobody can guess",
    "too_many_territories": "how many are there already",
    "too_many_custom_fields": "as above",
    "too_many_date_reminders": "as above",
    "too_many_retention_rules": "as above",
    "too_many_webhook_endpoints": "as above",
    "invalid_event_cursor": "a cursor is of what was answered before",
    "cursor_gone": "as above",
    "pull_missing": "whether a source was told how it is asked",
    "source_inactive": "as above: whether it is in use",
    "backfill_running": "whether another one is under way",
    "backfill_not_resumable": "how a run has ended",
}

FAULTS = {
    "unknown_kind": "a pattern that no event is of",
    "url_needed": "two members must agree",
    "one_of_both": "exactly one of two members must be there",
    "what_to_replay": "as above, or one of two others",
    "webhook_secret": "how many bytes a text in Base64 comes to",
    "webhook_url": "what a host is differs from one regular expression engine to the next",
    "/url address_refused": "which addresses are public",
    "header_name": "names that are the connection's, or ours",
    "header_twice": "one name in two cases",
    "/event no_event": "a CloudEvent of another make",
    "not_kept": "an id names nothing that is kept",
    "?fields unknown_field": "paths into a document of many shapes",
    "?fields too_many": "a list in one string",
    "?include too_many": "as above",
    "text": "JSON Schema's `string` includes NUL, which nothing here takes",
    "not_found": "a reference names nothing of this tenant",
    "distinct": "contacts that are merged are others than the one that is left, and each is named once",
    "not_merged": "a rule of a merge names one of its contacts",
    "forbidden_character": "as above",
    "too_complex": "how deep a condition nests, and how many comparisons it holds in all",
    "repeated_sort": "`name` and `-name` are two words and one field",
    "integer_out_of_range": "free-form JSON holds integers that few readers carry (RFC 8259, section 6)",
    "email": "RFC 5321 addresses are no regular language",
    "phone": "a number that no numbering plan has",
    "domain": "IDNA",
    "identity_required": "one of several members must say who it is",
    "primary_email": "only one of a list may be primary",
    "subject_required": "one of two references must be there",
    "no_conditions": "conditions are of some resources",
    "selection_required": "one of several members must say which",
    "one_resource": "what goes with several values of another member",
    "other_resource": "two members must agree",
    "receiver": "an object with one of two members at least",
    "user_or_key": "one of two members, not both",
    "unknown_member": "a member of whichever resource another member names",
    "one_grantee": "exactly one of two references must be there",
    "shared_twice": "two objects of a list name one user or team",
    "user_or_roles": "one of two members, not both",
    "repeated": "a list names one thing twice",
    "issuer": "what a host is, and which may do without TLS",
    "required_claims": "two members must agree: an issuer of anybody's takes a further claim",
    "one_of": "exactly one of several query parameters must be there",
    "expired": "one time must lie after another, or after now",
    "too_soon": "as above, by some days",
    "future": "a time must not lie after now",
    "cycle": "a tree has no cycles",
    "too_deep": "and ends somewhere",
    "duplicate": "two objects of a list have one id",
    "stage_kinds": "a list holds at least one of each kind",
    "total_required": "the total of an order or an invoice is given, or follows from its lines",
    "total_currencies": "as above",
    "total_range": "as above",
    "other_currency": "what was given back is in the currency of the total",
    "refunds_range": "and has a sum that is an amount",
    "payments_range": "as above, with others that are there",
    "unknown_stage": "the tenant's own stages",
    "unknown_reason": "the tenant's own reasons",
    "/lifecycle_reason required": "as above: which stages take one",
    "/user_id required": "a key that acts for no user says for whom",
    "not_lost": "a reason belongs to a lost stage alone",
    "not_in_pipeline": "the tenant's own stages",
    "positive": "zero has many spellings",
    "https_url": "what is a space, and what a host, differs from one regular expression engine to the next",
    "required_by_stage": "the tenant's own rule",
    "other_channel": "two entities must agree",
    "not_supported": "as above",
    "email_only": "members that go with one value of another",
    "csv_only": "as above",
    "file_name": "what is a space differs from one regular expression engine to the next",
    "unknown_column": "paths into documents of which another member names the form",
    "template": "Jinja has a grammar",
    "one_language": "one of two members must be there",
    "choices": "members that go with some values of another",
    "other_type": "as above",
    "choice_gone": "what was there before",
    "fixed": "as above",
    "not_re2": "regular expressions have a grammar",
    "undeclared": "the tenant's own declarations",
    "not_plain": "as above",
    "archived": "as above",
    "other_end": "exactly one of two references must be there",
    "itself": "and it names another than a third one does",
    "inverse_of_account": "members that go with one of two references",
    "/inverse_label required": "as above; of some words it is known",
    "dates_reversed": "one date must not lie before another",
    "time_zone": "the IANA database",
    "separate_consent": "what a purpose takes is the tenant's own",
    "not_offered": "and what it is asked for",
    "birthday_of_account": "members that go with one value of another",
    "/field unknown_field": "the tenant's own declarations",
    "phone_invalid": "a number that no numbering plan has",
}

SCIM_TYPES = {
    "invalidFilter": "a filter has a grammar (RFC 7644, section 3.4.2.2)",
    "invalidPath": "and so has a path (section 3.5.2)",
    "invalidValue": "SCIM's errors do not tell kinds of faults apart; what FAULTS excuses are some of these",
    "noTarget": "a path leads to something that is there",
    "mutability": "what must not be removed is some of what a path can name",
    "uniqueness": "an address belongs to one user",
}

_OPEN_CONDITIONS = ("/v1/roles", "/v1/transfers", "/v1/exports", "/v1/bulk-changes", "/v1/webhook-endpoints")
"""Where a condition, or a sort, is over the fields of whichever resource another member names."""

_OF_FIELDS = frozenset({"unknown_field", "unknown_operator", "type_mismatch"})

PATCH_FAULTS = {
    "?fields unknown_field": "paths into a document of many shapes",
    "?fields too_many": "a list in one string",
    "?include too_many": "as above",
    "text": "JSON Schema's `string` includes NUL, which nothing here takes",
    "required": "part of an object is patched in that is not there yet",
    "/where malformed": "one kind of condition is patched into another",
}

BULK_FAULTS = {
    "where_or_ids": "one of two members must be there",
    "other_resource": "ids are of the resource that another member names",
    "other_id": "versions are of the ids that another member names",
    "patch": "members that go with one value of another",
    "tags": "as above",
}
"""In a bulk change; its patch is of the resource that another member names."""

DECLARATION_FAULTS = {
    "/default": "a value of the type, and by the rules, that other members name",
    "/rules/": "bounds are of the type of the field",
}
"""Where in a custom field: what is wrong there hangs on other members."""

SOURCE_FAULTS = {
    "expression": "JMESPath has a grammar, and functions that there are",
    "mapping_leaf": "every member of a mapping is an expression, at whatever depth",
    "mapping_depth": "as above",
    "mapping_size": "as above: how many there are in all",
    "reference": "one of two members must be there",
    "header": "members that go with one value of another",
    "username": "as above",
    "timestamp": "as above",
    "authentication": "as above: of one kind",
    "callback": "as above",
    "secret": "as above; and what is one hangs on the scheme",
    "immutable": "what stays as it was created",
    "/callback required": "as the kind is",
    "rotate": "what is changed elsewhere",
    "owned_and_yielded": "a member is in one of two lists",
    "pull": "as the kind is",
    "credentials": "as above",
    "api_version": "as above",
    "/pull/credentials required": "they stay where a patch leaves them out, while it is the same host",
    "base_url": "what a host is differs from one regular expression engine to the next",
    "/pull/base_url address_refused": "which addresses are public",
    "not_pulled": "what is asked for is what the source names",
}
"""In an inbound source."""

FORM_FAULTS = frozenset({"file", "format", "encoding", "delimiter", "sheet", "mapping", "match", "defaults"})
"""Fields of an import: what is right in them is JSON in a text, a list in one string, or for the file itself to say."""

TERRITORY_FAULTS = {
    "unknown_field": "which fields there are to name hangs on `resource`",
    "unknown_operator": "as above: of what type they are",
    "type_mismatch": "as above",
    "malformed": "as above: of `exists` alone the value may be left out",
}
"""Below `/where` of a territory or a retention rule, and in the conditions of a validation rule."""


TAG_RULE_FAULTS = {"unknown_field": "a schema knows how currencies are called, and not which there are"}
"""Below `/where` of a tag rule."""


@schemathesis.hook
def filter_case(context: Any, case: Any) -> bool:
    """Not the key that the run itself uses: deleted, everything after it would only be answered 401."""
    own = "key_" + os.environ["GATEWAY_API_KEY"].split("_")[1]
    return case.method != "DELETE" or own not in (case.path_parameters or {}).values()


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    if _too_long_to_parse(response):
        return False
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    if any((case.headers or {}).get(name) == "" for name in ("If-Match", "Consistency-Token")):
        return False  # the coverage phase calls an empty header valid, though pattern and minLength both refuse it
    if response.headers["content-type"][0].startswith("application/scim+json"):
        return response.status_code != 412 and response.json().get("scimType") not in SCIM_TYPES
    if not response.headers["content-type"][0].startswith("application/problem+json"):
        return True
    return not excused(case.method, case.body, response.json())


def _too_long_to_parse(response: Any) -> bool:
    """The server's HTTP parser refuses a URL over 64 KiB before any of our code sees it: in plain text, and without us."""
    return (
        response.status_code == 400 and len(response.request.url) > 65_000 and response.content.startswith(b"Invalid")
    )


def excused(method: str, body: object, problem: dict[str, Any]) -> bool:
    """Whether a rejection stands on rules of meaning alone."""
    if problem["code"] in PROBLEMS:
        return True
    known = FAULTS | (PATCH_FAULTS if method == "PATCH" else {})
    of_rule = problem.get("instance", "").startswith("/v1/validation-rules")
    of_territory = problem.get("instance", "").startswith(("/v1/territories", "/v1/retention-rules"))
    of_tag_rule = problem.get("instance", "").startswith("/v1/tag-rules")
    faults = problem.get("errors", [])
    open_condition = problem["instance"].startswith(_OPEN_CONDITIONS)

    of_declaration = problem["instance"].startswith("/v1/custom-fields")

    of_file = problem["instance"] == "/v1/imports"
    of_bulk = problem["instance"].startswith("/v1/bulk-changes")

    of_source = problem["instance"].startswith("/v1/inbound-sources")

    def semantic(fault: dict[str, Any]) -> bool:
        if "rule_id" in fault or (fault["pointer"].startswith("/custom/") and fault["code"] == "required"):
            return True  # the tenant's own rules and declarations
        if of_file and fault["pointer"].removeprefix("/").partition("/")[0] in FORM_FAULTS:
            return True
        if of_source and not {fault["code"], f"{fault['pointer']} {fault['code']}"}.isdisjoint(SOURCE_FAULTS):
            return True
        if of_bulk and (fault["code"] in BULK_FAULTS or fault["pointer"].startswith("/patch")):
            return True
        if of_declaration and fault["pointer"].startswith(tuple(DECLARATION_FAULTS)):
            return True
        if fault["code"] in _OF_DECLARED and _names_custom_field(fault, body):
            return True
        if (
            of_rule
            and fault["pointer"].startswith(("/condition", "/when", "/field"))
            and fault["code"] in TERRITORY_FAULTS
        ):
            return True
        if of_tag_rule and fault["pointer"].startswith("/where") and fault["code"] in TAG_RULE_FAULTS:
            return True
        if of_territory and fault["pointer"].startswith("/where") and fault["code"] in TERRITORY_FAULTS:
            return True
        if open_condition and "/where/" in fault["pointer"] and fault["code"] in _OF_FIELDS:
            return True
        if open_condition and fault["pointer"] == "/sort" and fault["code"] == "invalid_sort":
            return True
        return fault["code"] in known or f"{fault['pointer']} {fault['code']}" in known

    return bool(faults) and all(semantic(fault) or _is_integral_float(fault, body) for fault in faults)


_OF_DECLARED = _OF_FIELDS | {"malformed", "invalid_sort"}
"""What can be wrong with a condition, or a sort, by a field that only the tenant's declarations know."""


def _names_custom_field(fault: dict[str, Any], body: Any) -> bool:
    """Whether a fault of a condition is one of a comparison of a custom field; or the sort names one."""
    if fault["code"] == "invalid_sort":
        return "custom." in fault["detail"].partition(" ")[0]
    for step in fault["pointer"].split("/")[1:-1]:
        try:
            body = body[int(step)] if isinstance(body, list) else body[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return False
    return isinstance(body, dict) and str(body.get("field")).startswith("custom.")


def _is_integral_float(fault: dict[str, Any], body: Any) -> bool:
    """JSON Schema calls 5.0 an integer; here, as in most typed languages, it is none."""
    if fault["code"] != "type" or "integer" not in fault["detail"]:
        return False
    for step in fault["pointer"].split("/")[1:]:
        try:
            body = body[int(step)] if isinstance(body, list) else body[step.replace("~1", "/").replace("~0", "~")]
        except (KeyError, IndexError, TypeError, ValueError):
            return False
    return isinstance(body, float) and body.is_integer()
