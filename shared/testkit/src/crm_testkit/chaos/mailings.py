"""What a marketer did and was told, and the comparison with what the service says and the mail server saw. Pure."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from crm_testkit.chaos.checker import Anomaly, Json

_UNFINISHED = ("queued", "sending")


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody in a mailing.

    `refusal`: why nothing may be sent to them, None where something may. `must`: whether it also has to be.
    """

    contact_id: str
    address: str
    refusal: str | None
    must: bool


@dataclass(frozen=True, slots=True)
class Mailing:
    """A campaign of known members. `scheduled`: that it starts was acknowledged; otherwise nobody knows."""

    campaign_id: str
    people: Mapping[str, Person]
    scheduled: bool


@dataclass(slots=True)
class Mailings:
    """One tenant's. `acknowledged` counts the writes for them; `withdrawn` whose withdrawal was acknowledged."""

    tenant_id: str
    all: list[Mailing] = field(default_factory=list)
    acknowledged: int = 0
    withdrawn: set[str] = field(default_factory=set)


def check_mail(
    mailings: Mailings, messages: Sequence[Json], taken: Mapping[str, Sequence[str]], withdrawn: frozenset[str]
) -> list[Anomaly]:
    """What no mailing explains.

    `messages`: the tenant's, as the service lists them. `taken`: the recipients that the mail server took a message
    for, by the message's id, once a copy. `withdrawn`: contacts whose withdrawal the service that sends has.
    """
    of_campaign: dict[str, list[Json]] = {}
    for message in messages:
        of_campaign.setdefault(message["campaign_id"], []).append(message)
    found = [
        anomaly
        for mailing in mailings.all
        for anomaly in _mailing(mailing, of_campaign.get(mailing.campaign_id, []), taken)
    ]
    found += [Anomaly("lost", "a local copy", f"the withdrawal of {one}") for one in mailings.withdrawn - withdrawn]
    return found + list(_strays(mailings.tenant_id, {str(message["id"]) for message in messages}, taken))


def _mailing(mailing: Mailing, messages: Sequence[Json], taken: Mapping[str, Sequence[str]]) -> Iterator[Anomaly]:
    written = Counter(str(message["contact_id"]) for message in messages)
    for contact_id, number in written.items():
        if contact_id not in mailing.people:
            yield Anomaly("invented", "the messages", f"{mailing.campaign_id} to {contact_id}, who is no member")
        elif number > 1:
            yield Anomaly("duplicated", "the messages", f"{number} of {mailing.campaign_id} to {contact_id}")
    if mailing.scheduled:
        for contact_id in set(mailing.people) - set(written):
            yield Anomaly("lost", "the messages", f"{mailing.campaign_id} to {contact_id}")
    for message in messages:
        person = mailing.people.get(message["contact_id"])
        if person is not None:
            yield from _message(message, person, taken.get(message["id"], ()))


def _message(message: Json, person: Person, recipients: Sequence[str]) -> Iterator[Anomaly]:
    told = f"{message['id']} to {person.contact_id}"
    status, reason = message["status"], message["reason"]
    if status in _UNFINISHED:
        yield Anomaly("lost", "the messages", f"{told} is still {status}")
    elif status != "sent" and not reason:
        yield Anomaly("lost", "the messages", f"{told} is {status} without a reason")
    if status == "sent" and not recipients:
        yield Anomaly("lost", "the mail", f"{told} is sent, and the mail server never saw it")
    if status == "skipped" and recipients:
        yield Anomaly("invented", "the mail", f"{told} left though it was skipped: {reason}")
    if status == "skipped" and person.must:
        yield Anomaly("lost", "the messages", f"{told} was skipped: {reason}")
    if person.refusal and recipients:
        yield Anomaly("invented", "the mail", f"{told} left without consent: {person.refusal}")
    for recipient in set(recipients) - {person.address}:
        yield Anomaly("cross-tenant", "the mail", f"{told} went to {recipient}")


def _strays(tenant_id: str, known: set[str], taken: Mapping[str, Sequence[str]]) -> Iterator[Anomaly]:
    for message_id, recipients in taken.items():
        if message_id not in known and any(recipient.startswith(tenant_id[-8:]) for recipient in recipients):
            yield Anomaly("invented", "the mail", f"{message_id}, which the service does not have")
