"""Letters on the wire, and mail servers that do not do as they should."""

import asyncio
from email import message_from_bytes
from email.policy import default
from typing import Any

import pytest
from campaigns_svc.mail import Letter, Mailer, Outcome, compose
from campaigns_svc.settings import CampaignsSettings
from crm_testkit.kafka_broker import free_ports
from crm_testkit.smtp import MailServer
from hypothesis import example, given
from hypothesis import strategies as st
from structlog.testing import capture_logs


def _letter(**fields: Any) -> Letter:
    given_fields = {"key": "message_1", "recipient": "a@example.com", "subject": "S", "text": "T", "html": None}
    return Letter(**{**given_fields, "unsubscribe_url": "https://crm.example.com/v1/unsubscribe/x.y", **fields})


def _mailer(port: int, **fields: Any) -> Mailer:
    urls = dict.fromkeys(["database_url", "system_database_url", "event_log_url"], "postgresql://x")
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": port, "mail_from": "News <news@shop.example>"}
    return Mailer(CampaignsSettings(**{**urls, "secret": "0123456789abcdefghijklmnopqrstuv", **smtp, **fields}))


_SUBJECTS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.just(" "), max_size=200).map(str.strip)
_BODIES = st.text(st.characters(exclude_categories=["C"]) | st.just("\n"), max_size=2000)


@given(_SUBJECTS, _BODIES, st.none() | _BODIES)
def test_any_text_arrives_as_it_was_written(subject: str, text: str, html: str | None) -> None:
    content = compose(_letter(subject=subject, text=text, html=html), "商店 <news@shop.example>")
    assert content.isascii()
    assert all(len(line) <= 998 for line in content.split(b"\r\n"))
    assert b"\n" not in content.replace(b"\r\n", b"")
    message: Any = message_from_bytes(content, policy=default)
    bodies = list(message.iter_parts()) if html is not None else [message]
    # Python's parser may drop white space where it joins encoded words, as RFC 2047 lets it.
    assert "".join(str(message["Subject"]).split()) == "".join(subject.split())
    written = [text] if html is None else [text, html]
    assert [body.get_content().replace("\r\n", "\n").rstrip("\n") for body in bodies] == [
        part.rstrip("\n") for part in written
    ]


@given(st.text(max_size=30), st.text(max_size=30))
@example("0", "[")
def test_no_address_can_add_a_line(local: str, domain: str) -> None:
    try:
        content = compose(_letter(recipient=f"{local}@{domain}"), "news@shop.example")
    except ValueError:
        return
    head = content.partition(b"\r\n\r\n")[0].decode()
    names = [line.partition(":")[0] for line in head.split("\r\n") if not line.startswith((" ", "\t"))]
    assert sorted(names) == sorted(
        ["From", "To", "Subject", "Date", "Message-ID", "List-Unsubscribe", "List-Unsubscribe-Post",
         "MIME-Version", "Content-Type", "Content-Transfer-Encoding"]
    )  # fmt: skip


@pytest.mark.parametrize(
    "address",
    ["", "a", "@example.com", "a@", "a b@example.com", "a@exam ple.com", "a@b.c\r\nX: 1", "<a@b.c>", "a@" + "x" * 64],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ValueError):
        compose(_letter(recipient=address), "news@shop.example")


async def test_a_letter_never_goes_in_clear_where_tls_is_asked_for(mail_server: MailServer) -> None:
    for tls in ("starttls", "tls"):
        recipient = f"{tls}@example.com"
        outcome = await _mailer(mail_server.port, smtp_tls=tls, smtp_timeout_seconds=2).deliver(
            _letter(recipient=recipient)
        )
        assert outcome.reason is not None
        assert not outcome.permanent
        assert mail_server.to(recipient) == []


async def test_a_password_that_the_server_does_not_want_is_no_fault_of_the_letter(mail_server: MailServer) -> None:
    mailer = _mailer(mail_server.port, smtp_username="u", smtp_password="p")
    outcome = await mailer.deliver(_letter(recipient="auth@example.com"))
    assert outcome.reason is not None
    assert not outcome.permanent
    assert mail_server.to("auth@example.com") == []


async def test_a_server_that_never_answers_is_given_up(mail_server: MailServer) -> None:
    async def silence(_delivery: object) -> str:
        await asyncio.sleep(3)
        return "250 OK"

    mail_server.answers["silent@example.com"] = silence
    mailer = _mailer(mail_server.port, smtp_timeout_seconds=0.5)
    outcome = await mailer.deliver(_letter(recipient="silent@example.com"))
    assert outcome == Outcome("smtp_timeout", uncertain=True)


async def test_what_no_server_was_offered_cannot_have_arrived() -> None:
    [port] = free_ports(1)
    assert await _mailer(port).deliver(_letter()) == Outcome("smtp_unreachable")


async def test_what_a_server_says_of_an_address_is_not_logged(mail_server: MailServer) -> None:
    recipient = "zsuzsanna@example.com"

    async def refuse(_delivery: object) -> str:
        return f"550 5.1.1 <{recipient}>: no such mailbox"

    mail_server.answers[recipient] = refuse
    with capture_logs() as logs:
        outcome = await _mailer(mail_server.port).deliver(_letter(recipient=recipient))
        assert (await _mailer(mail_server.port).deliver(_letter(recipient="zsuzsanna"))).permanent
    assert outcome == Outcome("smtp_550", permanent=True)
    assert [line["event"] for line in logs] == ["letter_not_taken", "letter_not_composed"]
    assert "zsuzsanna" not in str(logs)
