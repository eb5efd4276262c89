"""E-mail: what a message looks like on the wire, and how it is handed to a mail server."""

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import EmailPolicy
from email.utils import localtime, parseaddr
from typing import Any, Final

import aiosmtplib
import structlog

from campaigns_svc.settings import CampaignsSettings

_VERBATIM: Final = frozenset({"list-unsubscribe", "list-unsubscribe-post", "message-id"})
_CLOSE_SECONDS = 2.0

log = structlog.get_logger(__name__)


class _Policy(EmailPolicy):
    """Leaves the headers that programs read as they are: Python would fold a long link into RFC 2047 encoded words,
    which no mail program takes for a link (RFC 8058 §4 wants it literally).
    """

    def fold(self, name: str, value: str) -> str:
        if name.lower() in _VERBATIM:
            return f"{name}: {value}{self.linesep}"
        return str(super().fold(name, value))

    def fold_binary(self, name: str, value: str) -> bytes:
        if name.lower() in _VERBATIM:
            return f"{name}: {value}{self.linesep}".encode("ascii")
        return super().fold_binary(name, value)


@dataclass(frozen=True, slots=True)
class Letter:
    """One e-mail to one address. `key` makes its Message-ID, which is the same however often it is handed over."""

    key: str
    recipient: str
    subject: str
    text: str
    html: str | None
    unsubscribe_url: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the mail server said. `reason` is None when it took the letter; `permanent` when a retry is of no use.

    `uncertain`: it was offered the letter and never answered. It may have taken it.
    """

    reason: str | None = None
    permanent: bool = False
    uncertain: bool = False


def _address(address: str, display_name: str = "") -> Address:
    """Raises ValueError for what is no address. The domain as DNS knows it (RFC 5890)."""
    local, _, domain = address.rpartition("@")
    if not local or not domain or not address.isprintable() or any(c in address for c in ' <>",;'):
        raise ValueError("not an address")
    return Address(display_name, local, domain.encode("idna").decode("ascii"))


def compose(letter: Letter, sender: str) -> bytes:
    """The letter as RFC 5322 text: multipart/alternative, UTF-8, one-click unsubscribing by RFC 8058.

    Raises ValueError where it cannot be put so.
    """
    name, plain = parseaddr(sender)
    origin, recipient = _address(plain, name), _address(letter.recipient)
    needs_utf8 = not (origin.username + recipient.username).isascii()
    policy = _Policy(linesep="\r\n", cte_type="7bit", utf8=needs_utf8)
    message = EmailMessage(policy)
    try:
        message["From"], message["To"] = origin, recipient
    except (AttributeError, IndexError) as error:  # Python's own parser trips over some of what is none, as `0@[`
        raise ValueError("not an address") from error
    message["Subject"] = letter.subject
    message["Date"] = localtime()
    message["Message-ID"] = f"<{letter.key}@{origin.domain}>"
    message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
    message["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
    message.set_content(letter.text)
    if letter.html is not None:
        message.add_alternative(letter.html, subtype="html")
    return message.as_bytes()


class Mailer:
    """Hands letters to the mail server of the settings, each over a connection of its own."""

    def __init__(self, settings: CampaignsSettings) -> None:
        self._settings = settings

    @property
    def configured(self) -> bool:
        return self._settings.smtp_host is not None and self._settings.mail_from is not None

    async def deliver(self, letter: Letter) -> Outcome:
        """Never raises but on cancellation. After a lost answer nobody knows whether the server took the letter: the
        outcome is then temporary and uncertain, and the copy that a retry makes has the same Message-ID.
        """
        sender = self._settings.mail_from
        assert sender is not None, "deliver is called when configured"
        try:
            content = compose(letter, sender)
        except ValueError as error:
            log.warning("letter_not_composed", key=letter.key, kind=type(error).__name__)
            return Outcome("invalid_address", permanent=True)
        offered = asyncio.Event()
        try:
            async with asyncio.timeout(self._settings.smtp_timeout_seconds):
                await self._hand_over(sender, letter.recipient, content, offered)
        except (aiosmtplib.SMTPException, OSError, ValueError) as error:
            outcome = _failure(error, offered=offered.is_set())
            # Not the error's text: servers quote the address.
            log.warning("letter_not_taken", key=letter.key, reason=outcome.reason, kind=type(error).__name__)
            return outcome
        return Outcome()

    async def _hand_over(self, sender: str, recipient: str, content: bytes, offered: asyncio.Event) -> None:
        settings = self._settings
        origin, target = _address(parseaddr(sender)[1]), _address(recipient)
        client = aiosmtplib.SMTP(
            hostname=settings.smtp_host,
            port=settings.smtp_port,
            username=settings.smtp_username,
            password=settings.smtp_password,
            use_tls=settings.smtp_tls == "tls",
            start_tls=settings.smtp_tls == "starttls",
            timeout=settings.smtp_timeout_seconds,
            local_hostname=origin.domain,
        )
        try:
            await client.connect()
            options: list[str] = []
            if not (origin.addr_spec + target.addr_spec).isascii():
                await client.ehlo()
                if not client.supports_extension("smtputf8"):
                    raise aiosmtplib.SMTPNotSupported("the server does not take addresses beyond ASCII")
                options = ["SMTPUTF8", "BODY=8BITMIME"]
            offered.set()
            await client.sendmail(
                origin.addr_spec,
                [target.addr_spec],
                content,
                mail_options=options,
            )
        finally:
            # Whatever goes wrong with the farewell, the letter's fate is known.
            with suppress(aiosmtplib.SMTPException, OSError):
                async with asyncio.timeout(_CLOSE_SECONDS):
                    await client.quit()
            client.close()


def _failure(error: Exception, *, offered: bool) -> Outcome:
    """RFC 5321 §4.2.1: 4xx is temporary, 5xx permanent; but what fails before the letter is offered may be mended."""
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPAuthenticationError):
        return Outcome("smtp_authentication_failed")
    if isinstance(error, aiosmtplib.SMTPNotSupported):
        return Outcome("smtp_not_supported", permanent=True)
    of_letter = aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPDataError
    code: Any = getattr(error, "code", None)
    if isinstance(code, int) and code > 0:
        return Outcome(f"smtp_{code}", permanent=isinstance(error, of_letter) and code >= 500)
    if isinstance(error, TimeoutError):
        return Outcome("smtp_timeout", uncertain=offered)
    if isinstance(error, ConnectionError | OSError):
        return Outcome("smtp_unreachable", uncertain=offered)
    return Outcome("smtp_failed", permanent=isinstance(error, ValueError), uncertain=offered)
