"""What clients write and read of an inbound source."""

from typing import Annotated, Any, Final, Self

from crm_contracts.inbound import (
    HashAlgorithm,
    InboundSource,
    OnAmbiguous,
    PullResource,
    Scheme,
    SignatureEncoding,
    SignedContent,
    SourceKind,
)
from crm_contracts.sensitivity import OPEN
from crm_contracts.types import Contract, Currency, Input, Name, Slug, by_name
from crm_kit.http.outbound import OutboundRefused, refuse_form
from pydantic import AfterValidator, Field, JsonValue, StringConstraints, model_validator
from pydantic_core import PydanticCustomError

from gateway.connectors import CREDENTIALS, RESOURCES
from gateway.inbound.mappings import ExpressionText, Target, TopicMapping

MAX_BODY_BYTES: Final = 5 * 1024 * 1024
CALLBACKS: Final = frozenset({"wecom", "dingtalk"})
GENERIC: Final = frozenset({"generic", "erp"})

HeaderName = Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9!#$%&'*+.^_`|~-]{1,100}$")]
Secret = Annotated[
    str,
    StringConstraints(strict=True, min_length=8, max_length=500, pattern=r"^[\x20-\x7e]+$"),
    Field(description="What the sender signs with, or shows; made by us if left out. It is in no answer but this one"),
]
Topic = Annotated[str, StringConstraints(strict=True, pattern=r"^[\x21-\x7e]{1,200}$")]
Mappings = Annotated[dict[Topic, TopicMapping], Field(max_length=200, json_schema_extra=by_name)]
Members = Annotated[
    dict[Target, list[Annotated[str, StringConstraints(strict=True, pattern=r"^[a-z][a-z0-9_.]{0,99}$")]]],
    Field(max_length=20, json_schema_extra=by_name, examples=[{"contacts": ["custom.credit_limit"]}]),
]


class AuthenticationWrite(Input):
    scheme: Scheme = "hmac"
    header: Annotated[HeaderName | None, Field(examples=["X-Hub-Signature-256"])] = None
    algorithm: HashAlgorithm = "sha256"
    encoding: SignatureEncoding = "hex"
    prefix: Annotated[str, StringConstraints(strict=True, pattern=r"^[\x20-\x7e]{0,30}$")] = ""
    content: Annotated[SignedContent, Field(description="What is signed; a timestamp that is not can be forged")] = (
        "body"
    )
    timestamp_header: HeaderName | None = None
    tolerance_seconds: Annotated[int, Field(strict=True, ge=1, le=3_600)] = 300
    username: Annotated[str, StringConstraints(strict=True, pattern=r"^[\x21-\x39\x3b-\x7e]{1,100}$")] | None = None

    @model_validator(mode="after")
    def _whole(self) -> Self:
        if self.scheme == "hmac" and self.header is None:
            raise PydanticCustomError("header", "Name the header of the signature", {"zh": "请指定签名所在的请求头"})
        if self.scheme == "basic" and self.username is None:
            raise PydanticCustomError("username", "Name the user", {"zh": "请指定用户名"})
        if (self.content == "body") != (self.timestamp_header is None):
            raise PydanticCustomError(
                "timestamp", "A timestamp is signed with the body, or not looked at: give both or neither",
                {"zh": "时间戳必须与正文一起签名：content 与 timestamp_header 须同时指定"},
            )  # fmt: skip
        return self


class CallbackWrite(Input):
    """What WeCom or DingTalk shows where the callback is registered."""

    token: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9]{1,64}$")]
    encoding_aes_key: Annotated[str, StringConstraints(strict=True, pattern=r"^[A-Za-z0-9+/]{43}$")]
    receive_id: Annotated[
        str | None,
        StringConstraints(strict=True, pattern=r"^[\x21-\x7e]{1,100}$"),
        Field(description="The corp id of WeCom, the app key or corp id of DingTalk"),
    ] = None


class SystemOfRecordWrite(Input):
    """Of everything that is in neither list a source changes what it wrote itself, and fills what is empty."""

    owns: Annotated[Members, Field(description="What it says is written, whatever stands there")] = {}
    yields: Annotated[Members, Field(description="What it says is never written")] = {}

    @model_validator(mode="after")
    def _either(self) -> Self:
        for resource, members in self.owns.items():
            if set(members) & set(self.yields.get(resource, ())):
                raise PydanticCustomError(
                    "owned_and_yielded", "A member is owned or yielded, not both", {"zh": "同一字段不能同时 owns 与 yields"}
                )  # fmt: skip
        return self


def _base_url(value: str) -> str:
    try:
        url = refuse_form(value)
    except OutboundRefused:
        url = None
    if url is None or url.query_string or "?" in value:
        raise PydanticCustomError(
            "base_url", "Must be an https URL without user, query and fragment, such as https://shop.example.com",
            {"zh": "必须是不含用户、查询与片段的 https 地址，例如 https://shop.example.com"},
        )  # fmt: skip
    return value.rstrip("/")


Credential = Annotated[str, StringConstraints(strict=True, pattern=r"^[\x21-\x39\x3b-\x7e]{8,500}$")]
DEFAULT_API_VERSION: Final = "2025-07"


class PullCredentialsWrite(Input):
    """`access_token` of Shopify; the consumer key and secret of WooCommerce, which need no more than to read."""

    access_token: Credential | None = None
    consumer_key: Credential | None = None
    consumer_secret: Credential | None = None

    @property
    def given(self) -> dict[str, str]:
        return {name: value for name, value in self.model_dump().items() if value is not None}


class PullWrite(Input):
    base_url: Annotated[
        str,
        StringConstraints(strict=True, min_length=9, max_length=500, pattern=r"^https?://[\x21-\x7e]+$"),
        AfterValidator(_base_url),
        Field(description="https://shop.myshopify.com, or the address of the WordPress site", examples=["https://shop.example.com"]),
    ]  # fmt: skip
    credentials: Annotated[
        PullCredentialsWrite | None,
        Field(description="In no answer; they stay where a patch leaves them out, while it is the same host"),
    ] = None
    api_version: Annotated[
        str | None,
        StringConstraints(strict=True, pattern=r"^20[0-9]{2}-(01|04|07|10)$"),
        Field(description=f"Of Shopify's Admin API; {DEFAULT_API_VERSION} if left out"),
    ] = None
    resources: Annotated[list[PullResource], Field(min_length=1, max_length=len(RESOURCES))] = list(RESOURCES)
    every_seconds: Annotated[
        int | None,
        Field(strict=True, ge=300, le=2_592_000, description="Asks so often for what has changed since the last time"),
    ] = None


class InboundSourceWrite(Input):
    name: Name
    kind: SourceKind
    system: Annotated[Slug | None, Field(description="The kind if left out; it stays as it is once written")] = None
    is_active: Annotated[bool, Field(strict=True)] = True
    secret: Secret | None = None
    callback: CallbackWrite | None = None
    authentication: Annotated[
        AuthenticationWrite | None, Field(description="Of generic and erp; Standard Webhooks if left out")
    ] = None
    topic_header: HeaderName | None = None
    topic_expression: Annotated[ExpressionText | None, Field(examples=["event.type"])] = None
    dedupe_expression: Annotated[
        ExpressionText | None, Field(description="What tells a delivery from any other; the whole body if left out")
    ] = None
    dedupe_window_seconds: Annotated[int, Field(strict=True, ge=0, le=2_592_000)] = 86_400
    country: Annotated[
        str | None,
        StringConstraints(strict=True, pattern=r"^[A-Z]{2}$"),
        Field(description="Of phone numbers without a country; the tenant's if left out"),
    ] = None
    currency: Annotated[Currency | None, Field(description="Of prices that name none")] = None
    mappings: Annotated[
        Mappings | None, Field(description="By topic, `*` for all others; in place of the ready ones of the kind")
    ] = None
    system_of_record: SystemOfRecordWrite = SystemOfRecordWrite()
    on_ambiguous: OnAmbiguous = "park"
    max_body_bytes: Annotated[int, Field(strict=True, ge=1_024, le=MAX_BODY_BYTES)] = 1_048_576
    pull: Annotated[
        PullWrite | None, Field(description="How the shop is asked for what it has: of shopify and woocommerce")
    ] = None

    @model_validator(mode="after")
    def _of_its_kind(self) -> Self:
        if self.authentication is not None and self.kind not in GENERIC:
            raise PydanticCustomError(
                "authentication", "Its kind says how it is authenticated", {"zh": "该类型的认证方式是固定的"}
            )
        if self.callback is not None and self.kind not in CALLBACKS:
            raise PydanticCustomError("callback", "Its kind has no callback", {"zh": "该类型没有回调"})
        if self.secret is not None and self.kind in CALLBACKS:
            raise PydanticCustomError(
                "secret", "Its secrets are those of the callback", {"zh": "请使用 callback 中的密钥"}
            )
        if self.pull is not None:
            self._check_pull(self.pull)
        return self

    def _check_pull(self, pull: PullWrite) -> None:
        wanted = CREDENTIALS.get(self.kind)
        if wanted is None:
            raise PydanticCustomError("pull", "Its kind cannot be asked", {"zh": "该类型不支持拉取"})
        if pull.credentials is not None and set(pull.credentials.given) != set(wanted):
            raise PydanticCustomError(
                "credentials", "Give {wanted}, and no other", {"wanted": " and ".join(wanted), "zh": f"请提供 {'、'.join(wanted)}"}
            )  # fmt: skip
        if pull.api_version is not None and self.kind != "shopify":
            raise PydanticCustomError("api_version", "Only Shopify has several", {"zh": "仅 Shopify 有多个 API 版本"})


class SourceSecretRotation(Input):
    secret: Secret | None = None
    callback: CallbackWrite | None = None
    overlap_seconds: Annotated[
        int, Field(strict=True, ge=0, le=2_592_000, description="How long the one before counts beside it")
    ] = 86_400


class CreatedInboundSource(InboundSource):
    """With its secret: shown once. Null where it is the callback's."""

    secret: Annotated[str | None, Field(description="Keep it: it is not shown again"), OPEN]


class PayloadPreviewRequest(Input):
    topic: Topic | None = None
    headers: Annotated[
        dict[HeaderName, Annotated[str, StringConstraints(max_length=2_000)]],
        Field(max_length=50, json_schema_extra=by_name),
    ] = {}
    payload: JsonValue


class PlannedRecord(Contract):
    """What a payload would become."""

    resource: str
    method: str
    external_id: str | None
    at: str | None
    data: dict[str, Any]
    add: dict[str, list[dict[str, Any]]]
    refs: dict[str, Any]


class PayloadPreview(Contract):
    """`topic`: as it was understood; `reason`: why nothing would become of it."""

    topic: str
    mapping: Annotated[str | None, Field(description="own or ready")]
    reason: str | None
    detail: str | None
    records: list[PlannedRecord]
