"""The secrets of a source: made, sealed, opened."""

import base64
import os
from typing import Any, Final

import orjson
from crm_contracts.inbound import SourceKind
from crm_kit.errors import FieldError, Text, ValidationFailed
from crm_kit.http.sealing import Sealer
from crm_kit.http.standard_webhooks import new_secret
from crm_kit.tenants.sealed import SealedColumn

from gateway.features.inbound_sources.schemas import CALLBACKS, CallbackWrite
from gateway.inbound.signatures import InvalidSecret, standard_key

_PURPOSE: Final = "inbound-source"
_PULL_PURPOSE: Final = "inbound-source-pull"
_BYTES: Final = 32

SEALED: Final = (
    SealedColumn("inbound_source", "sealed", _PURPOSE),
    SealedColumn("inbound_source", "previous_sealed", _PURPOSE),
    SealedColumn("inbound_source", "pull_sealed", _PULL_PURPOSE),
)


def seal(secret: str, source_id: str, opened: dict[str, Any]) -> bytes:
    return Sealer(secret, _PURPOSE).seal(orjson.dumps(opened), source_id)


def unseal(secret: str, source_id: str, sealed: bytes) -> dict[str, Any]:
    """Raises Unsealable."""
    opened: dict[str, Any] = orjson.loads(Sealer(secret, _PURPOSE).unseal(sealed, source_id))
    return opened


def seal_credentials(secret: str, source_id: str, credentials: dict[str, str]) -> bytes:
    return Sealer(secret, _PULL_PURPOSE).seal(orjson.dumps(credentials), source_id)


def unseal_credentials(secret: str, source_id: str, sealed: bytes) -> dict[str, str]:
    """Raises Unsealable."""
    opened: dict[str, str] = orjson.loads(Sealer(secret, _PULL_PURPOSE).unseal(sealed, source_id))
    return opened


def chosen(
    kind: SourceKind, scheme: str | None, secret: str | None, callback: CallbackWrite | None
) -> tuple[dict[str, Any], str | None]:
    """What is to be sealed, and what is shown once. Raises ValidationFailed."""
    if kind in CALLBACKS:
        if callback is None:
            text = Text("Give the token and the AES key of the callback", "请提供回调的 token 与 EncodingAESKey")
            raise ValidationFailed(text, errors=[FieldError("/callback", "required", text)])
        return {"token": callback.token, "encoding_aes_key": callback.encoding_aes_key}, None
    if secret is None:
        secret = new_secret() if scheme == "standard_webhooks" else _plain_secret()
    elif scheme == "standard_webhooks":
        try:
            standard_key(secret)
        except InvalidSecret as error:
            text = Text(f"The secret {error}", "密钥必须以 whsec_ 开头并为 base64")
            raise ValidationFailed(text, errors=[FieldError("/secret", "secret", text)]) from error
    return {"secret": secret}, secret


def _plain_secret() -> str:
    """What forms and shells take as it is."""
    made = base64.b64encode(os.urandom(_BYTES)).decode()
    return made.rstrip("=").translate(str.maketrans("+/", "Ab"))
