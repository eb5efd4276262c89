"""Which rejections of schema-valid input are right: rules that a JSON Schema cannot express.

Schemathesis loads this file (SCHEMATHESIS_HOOKS). No check is switched off: a finding is dropped only where the answer is
a problem whose codes all stand below. Whatever the schema could have said is not among them.
"""

from typing import Any

import schemathesis
from schemathesis.core.failures import Failure

PROBLEMS = {
    "invalid_cursor": "a cursor is signed; only the server makes one",
    "idempotency_key_reused": "the same key with another body, by definition",
    "precondition_failed": "If-Match names a version that nobody can guess",
}

FAULTS = {
    "not_found": "a reference names nothing of this tenant",
    "forbidden_character": "JSON Schema's `string` includes NUL, which nothing here takes",
    "email": "RFC 5321 addresses are no regular language",
    "phone": "a number that no numbering plan has",
    "domain": "IDNA",
    "identity_required": "one of several members must say who it is",
    "primary_email": "only one of a list may be primary",
    "subject_required": "one of two references must be there",
    "expired": "one time must lie after another",
    "future": "a time must not lie after now",
}

PATCH_FAULTS = {
    "required": "part of an object is patched in that is not there yet",
}


@schemathesis.hook
def filter_failure(context: Any, failure: Failure, case: Any, response: Any) -> bool:
    if type(failure).__name__ != "RejectedPositiveData":
        return True
    return not excused(case.method, response.json() if "json" in response.headers["content-type"][0] else {})


def excused(method: str, problem: dict[str, Any]) -> bool:
    """Whether a rejection stands on rules of meaning alone."""
    if problem.get("code") in PROBLEMS:
        return True
    known = FAULTS | (PATCH_FAULTS if method == "PATCH" else {})
    faults = problem.get("errors", [])
    return bool(faults) and all(fault["code"] in known for fault in faults)
