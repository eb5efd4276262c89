"""Pure decisions about messages. `decide` is the one place where it is decided whether somebody is written to."""

import html as html_module
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Literal

SEND_MESSAGE: Final = "send_message"
"""The timer of a message that waits to be sent."""

KNOWN_WITHIN: Final = timedelta(seconds=10)
"""So long a message waits for a contact of whom no event has come yet."""

_MAX_PAUSE: Final = timedelta(hours=1)

Refusal = Literal[
    "contact_unknown",
    "contact_deleted",
    "contact_archived",
    "restricted",
    "do_not_contact",
    "no_address",
    "no_consent",
    "unsubscribed",
    "withdrawn",
    "expired",
]


@dataclass(frozen=True, slots=True)
class Person:
    """What is known of a contact."""

    deleted: bool
    archived: bool
    address: str | None
    do_not_contact: bool = False
    restricted: bool = False


@dataclass(frozen=True, slots=True)
class ConsentEntry:
    """The ledger entry with the greatest (`at`, `number`) of the message's channel and purpose."""

    id: str
    status: str
    at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Allowed:
    """May be sent, to `address`, under `consent`."""

    address: str
    consent: ConsentEntry


def decide(
    person: Person | None, consent: ConsentEntry | None, unsubscribed_at: datetime | None, now: datetime
) -> Allowed | Refusal:
    """Whether a message may be sent at this moment.

    It takes a known contact that is not archived, with an address, who has asked neither for silence nor for nothing to be done
    with their data, and a consent that is granted, not expired, and not followed by an unsubscribing (one at the same time
    counts as following).
    """
    if (unreachable := _unreachable(person)) is not None:
        return unreachable
    assert person is not None, "else it is not reachable"
    assert person.address, "as above"
    if consent is None:
        return "no_consent"
    if unsubscribed_at is not None and unsubscribed_at >= consent.at:
        return "unsubscribed"
    if consent.status != "granted":
        return "withdrawn"
    if consent.expires_at is not None and consent.expires_at <= now:
        return "expired"
    return Allowed(person.address, consent)


def _unreachable(person: Person | None) -> Refusal | None:
    if person is None:
        return "contact_unknown"
    if person.deleted:
        return "contact_deleted"
    if person.archived:
        return "contact_archived"
    if person.restricted:
        return "restricted"
    if person.do_not_contact:
        return "do_not_contact"
    return None if person.address else "no_address"


def pause_before_retry(attempts: int, first: timedelta) -> timedelta:
    """After the first failed attempt `first`, then twice as long each time, at most an hour."""
    return min(first * (1 << min(attempts - 1, 20)), _MAX_PAUSE)


def with_unsubscribe_link(text: str, html: str | None, url: str) -> tuple[str, str | None]:
    """The two bodies, each with the link: where the template did not place it, at the end."""
    if url not in text:
        text = f"{text.rstrip()}\n\n-- \nUnsubscribe / 退订: {url}\n"
    if html is not None and url not in html:
        footer = f'<p style="font-size:small"><a href="{html_module.escape(url)}">Unsubscribe · 退订</a></p>'
        head, closing, tail = html.rpartition("</body>")
        html = f"{head}{footer}{closing}{tail}" if closing else f"{tail}{footer}"
    return text, html
