"""Settings that no other service has: how mail leaves, and under which address links reach us."""

from collections.abc import Iterator
from email.utils import parseaddr
from typing import Annotated, Literal

from crm_kit.settings import Secret, ServiceSettings
from pydantic import Field


class CampaignsSettings(ServiceSettings):
    """Without `SMTP_HOST` and `MAIL_FROM` everything works but sending: messages fail with `smtp_not_configured`."""

    smtp_host: str | None = Field(None, description="Mail server that takes our messages")
    smtp_port: int = Field(25, ge=1, le=65535, description="Its port")
    smtp_username: str | None = Field(None, description="User at the mail server, where it wants one")
    smtp_password: Annotated[str | None, Secret()] = Field(None, description="The user's password")
    smtp_tls: Literal["none", "starttls", "tls"] = Field("none", description="How the connection is encrypted")
    smtp_timeout_seconds: float = Field(30.0, gt=0, le=300, description="For one whole delivery, connecting included")
    smtp_retry_seconds: float = Field(
        30.0, gt=0, description="First pause after a temporary failure; doubles each time"
    )
    smtp_attempts: int = Field(6, ge=1, le=20, description="Deliveries that are tried before a message has failed")
    mail_from: str | None = Field(None, description="Sender, such as `Shop <news@example.com>`")
    public_url: str = Field("http://127.0.0.1:8080", description="Base of links in messages: the gateway from outside")

    send_lease_seconds: float = Field(
        120.0, gt=0, description="After so long a delivery whose worker died is tried again; longer than the time-out"
    )
    campaign_batch_size: int = Field(200, ge=1, le=1000, description="Messages that one transaction queues")

    def faults(self) -> Iterator[str]:
        yield from super().faults()
        if self.mail_from is not None:
            address = parseaddr(self.mail_from)[1]
            local, _, domain = address.rpartition("@")
            if not local or not domain or not self.mail_from.isprintable():
                yield "MAIL_FROM: must be an address such as Shop <news@example.com>"
        if not self.public_url.startswith(("http://", "https://")) or not self.public_url.isascii():
            yield "PUBLIC_URL: must be an http or https address such as https://crm.example.com"
        if self.send_lease_seconds <= self.smtp_timeout_seconds:
            yield "SEND_LEASE_SECONDS: must be longer than SMTP_TIMEOUT_SECONDS"
