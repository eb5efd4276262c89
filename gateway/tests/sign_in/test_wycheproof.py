"""Project Wycheproof's JSON web signatures, as far as they apply (see `vectors/README.md`)."""

import json
from pathlib import Path
from typing import Any

import pytest
from gateway.access.tokens import TokenRefused, check_signature, import_keys
from joserfc.util import urlsafe_b64decode

VECTORS: dict[str, Any] = json.loads((Path(__file__).parent / "vectors" / "json_web_signature.json").read_text())


@pytest.mark.parametrize("case", VECTORS["tests"], ids=lambda case: case["comment"])
def test_a_signature_is_taken_where_it_is_good_and_nowhere_else(case: dict[str, Any]) -> None:
    """Below the claims: these payloads are no JSON."""
    keys = import_keys({"keys": [VECTORS["public"]]})
    try:
        header = json.loads(urlsafe_b64decode(case["jws"].split(".")[0].encode()))
        if header.get("kid") != keys[0].kid:
            raise TokenRefused("unknown_key")
        check_signature(case["jws"], header, keys, frozenset({"ES256", "ES384", "RS256", "PS256", "EdDSA"}))
        taken = True
    except (TokenRefused, ValueError):
        taken = False
    assert taken is (case["result"] == "valid")
