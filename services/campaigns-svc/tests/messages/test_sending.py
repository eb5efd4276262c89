"""A campaign on its way to real mailboxes."""

import asyncio
import re
from datetime import UTC, datetime, timedelta
from typing import Any

from crm_contracts.ids import ConsentId, ContactId

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from


async def test_only_people_with_a_granted_consent_get_mail(shop: Shop) -> None:
    now = datetime.now(UTC)
    yes, no, out, other = [(await shop.people(1, consent=c))[0] for c in ("granted", None, "withdrawn", None)]
    await shop.publish(shop.consent(other[0], purpose="newsletter"), shop.consent(other[0], channel="sms"))
    expired, again, gone, away, nobody = [(await shop.people(1, consent=None))[0] for _ in range(5)]
    await shop.publish(
        shop.consent(expired[0], at=now - timedelta(days=9), expires_at=now - timedelta(seconds=1)),
        shop.consent(again[0], "withdrawn", 1, at=now - timedelta(days=3)),
        shop.consent(again[0], "granted", 2, at=now - timedelta(days=2)),
        shop.consent(gone[0]),
        shop.contact(gone[0], 2, "deleted"),
        shop.consent(away[0]),
        shop.contact(
            away[0],
            2,
            "archived",
            archived_at=now.isoformat(),
            emails=[{"address": away[1], "primary": True, "verified": False}],
        ),
        shop.contact(nobody[0], 2, "updated", full_name="No address"),
        shop.consent(nobody[0]),
    )
    stranger = ContactId.new()
    everybody = [yes, no, out, other, expired, again, gone, away, nobody]
    campaign = await shop.campaign(*[contact_id for contact_id, _ in everybody], stranger)
    messages = await shop.run(campaign)

    assert {contact_id: (m["status"], m["reason"]) for contact_id, m in messages.items()} == {
        yes[0]: ("sent", None),
        no[0]: ("skipped", "no_consent"),
        out[0]: ("skipped", "withdrawn"),
        other[0]: ("skipped", "no_consent"),
        expired[0]: ("skipped", "expired"),
        again[0]: ("sent", None),
        gone[0]: ("skipped", "contact_deleted"),
        away[0]: ("skipped", "contact_archived"),
        nobody[0]: ("skipped", "no_address"),
        stranger: ("skipped", "contact_unknown"),
    }
    assert [len(shop.mail.to(address)) for _, address in everybody] == [1, 0, 0, 0, 0, 1, 0, 0, 0]
    report = await shop.tenant.read(f"/v1/campaigns/{campaign['id']}/report")
    assert (report["total"], report["by_status"]) == (10, {"sent": 2, "skipped": 8})
    assert report["by_reason"]["no_consent"] == 2


async def test_nobody_is_written_to_who_wants_silence_or_is_restricted(shop: Shop) -> None:
    people = {
        "do_not_contact": (await shop.people(1, do_not_contact=True))[0],
        "restricted": (await shop.people(1, restricted=True))[0],
    }
    messages = await shop.run(await shop.campaign(*[contact_id for contact_id, _ in people.values()]))
    assert {messages[contact_id]["reason"] for contact_id, _ in people.values()} == people.keys()
    assert [shop.mail.to(address) for _, address in people.values()] == [[], []]


async def test_a_sent_message_keeps_the_proof_of_its_consent(shop: Shop) -> None:
    [(contact_id, address)] = await shop.people(1, consent=None)
    at, consent_id = datetime.now(UTC) - timedelta(days=30), ConsentId.new()
    await shop.publish(shop.consent(contact_id, at=at, id=consent_id))
    before = datetime.now(UTC)
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    proof = message["consent"]
    assert (proof["consent_id"], proof["status"]) == (consent_id, "granted")
    assert datetime.fromisoformat(proof["at"]) == at
    assert before <= datetime.fromisoformat(proof["checked_at"]) <= datetime.fromisoformat(message["sent_at"])
    assert (message["address"], message["subject"]) == (address, "Hello 李雷")

    events = await shop.service.events("crm.campaigns.message", key=message["id"], at_least=3)
    assert [(event.action, event.sequence) for event in events] == [("queued", 1), ("updated", 2), ("sent", 3)]
    assert events[-1].entity == message


async def test_a_withdrawal_between_queueing_and_sending_stops_the_message(shop: Shop) -> None:
    [(contact_id, address), *others] = await shop.people(3)
    campaign = await shop.campaign(contact_id, *[other[0] for other in others])
    start = datetime.now(UTC) + timedelta(seconds=1)
    await shop.act(campaign, "schedule", at=start.isoformat())
    await shop.publish(shop.consent(contact_id, "withdrawn", 2, at=datetime.now(UTC)))
    await shop.until(campaign, "sent")
    messages = await shop.messages(campaign)
    assert (messages[contact_id]["status"], messages[contact_id]["reason"]) == ("skipped", "withdrawn")
    assert shop.mail.to(address) == []
    assert len(messages) == 3


async def test_the_mail_is_what_a_mail_program_wants(shop: Shop) -> None:
    template = await shop.template(
        subject="{{ contact.full_name }}，春季新品上市，全场八折，仅限本周，欢迎选购，先到先得！",
        body_text="亲爱的{{ contact.full_name }}：\n新品来了。{{ unsubscribe_url }}\n",
        body_html='<p>亲爱的{{ contact.full_name }}：<a href="{{ unsubscribe_url }}">退订</a></p>',
    )
    [(contact_id, address)] = await shop.people(1, full_name="王<b>伟</b>")
    [message] = (await shop.run(await shop.campaign(contact_id, template=template))).values()
    delivery = await shop.mail_to(address)
    mail = delivery.message
    assert delivery.content.isascii()
    assert (delivery.sender, mail["To"], mail["From"]) == ("news@shop.example", address, "商店 <news@shop.example>")
    assert (
        mail["Subject"] == "王<b>伟</b>，春季新品上市，全场八折，仅限本周，欢迎选购，先到先得！" == message["subject"]
    )
    assert mail["Message-ID"] == f"<{message['id']}@shop.example>"
    assert mail.get_content_type() == "multipart/alternative"
    text, html = list(mail.iter_parts())
    assert (text.get_content_type(), text.get_content_charset()) == ("text/plain", "utf-8")
    assert text.get_content().startswith("亲爱的王<b>伟</b>：")
    assert "亲爱的王&lt;b&gt;伟&lt;/b&gt;：" in html.get_content()
    # RFC 8058: literally, on one line, without encoded words.
    [raw] = re.findall(rb"(?m)^List-Unsubscribe: (.*)\r$", delivery.content)
    assert re.fullmatch(rb"<https://crm\.shop\.example/v1/unsubscribe/[A-Za-z0-9_.-]+>", raw)
    assert b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in delivery.content
    assert raw.decode()[1:-1] in text.get_content()
    assert max(map(len, delivery.content.split(b"\r\n"))) <= 998


async def test_a_template_without_the_link_gets_it(shop: Shop) -> None:
    template = await shop.template(body_html="<html><body><p>Hi</p></body></html>")
    [(contact_id, address)] = await shop.people(1)
    await shop.run(await shop.campaign(contact_id, template=template))
    mail = (await shop.mail_to(address)).message
    link = str(mail["List-Unsubscribe"])[1:-1]
    text, html = [part.get_content() for part in mail.iter_parts()]
    assert link in text
    assert f'<a href="{link}">' in html
    assert html.strip().endswith("</body></html>")


async def test_nobody_can_put_headers_into_a_mail(shop: Shop) -> None:
    evil = "Eve\r\nBcc: victim@example.com\n\u2028X-Evil: 1\x0b\x85\x1d"
    template = await shop.template(subject="Hi {{ contact.full_name }}\nX-Subject: 1\r\n\r\nbody", body_text="Hi")
    [(contact_id, address)] = await shop.people(1, full_name=evil)
    await shop.run(await shop.campaign(contact_id, template=template, name="C\u2028X: 1"))
    delivery = await shop.mail_to(address)
    mail = delivery.message
    assert delivery.recipients == (address,)
    assert sorted({name.lower() for name in mail.keys()}) == [  # noqa: SIM118 # a message is no mapping
        "content-transfer-encoding", "content-type", "date", "from", "list-unsubscribe", "list-unsubscribe-post",
        "message-id", "mime-version", "subject", "to",
    ]  # fmt: skip
    assert mail["Subject"] == "Hi Eve Bcc: victim@example.com X-Evil: 1 X-Subject: 1 body"


async def test_an_address_that_is_none_cannot_reach_the_server(shop: Shop) -> None:
    evil = "a@example.com>\r\nRCPT TO:<victim@example.com"
    emails = [{"address": evil, "primary": True, "verified": False}]
    [(contact_id, _)] = await shop.people(1, emails=emails)
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    assert (message["status"], message["reason"]) == ("failed", "invalid_address")


async def test_an_address_beyond_ascii_is_written_to(shop: Shop) -> None:
    emails = [{"address": "李雷@例子.example.com", "primary": True, "verified": False}]
    [(contact_id, _)] = await shop.people(1, emails=emails)
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    assert (message["status"], message["reason"]) == ("sent", None)
    [delivery] = shop.mail.to("李雷@xn--fsqu00a.example.com")
    assert delivery.message["Subject"] == "Hello 李雷"


async def test_a_refusal_for_good_fails_and_one_for_a_time_is_retried(shop: Shop) -> None:
    [bad, busy, broken, fine] = await shop.people(4)
    shop.mail.refusals[bad[1]] = "550 5.1.1 no such mailbox"
    answers = iter(["451 4.3.0 later", "250 OK"])
    identifiers = []

    async def later(delivery: Any) -> str:
        identifiers.append(delivery.message["Message-ID"])
        return next(answers)

    async def never(_delivery: Any) -> str:
        return "452 4.2.2 full"

    shop.mail.answers.update({busy[1]: later, broken[1]: never})
    messages = await shop.run(await shop.campaign(*[contact_id for contact_id, _ in (bad, busy, broken, fine)]))
    outcome = {contact_id: (m["status"], m["reason"]) for contact_id, m in messages.items()}
    assert outcome == {
        bad[0]: ("failed", "smtp_550"),
        busy[0]: ("sent", None),
        broken[0]: ("failed", "smtp_452"),
        fine[0]: ("sent", None),
    }
    assert len(identifiers) == 2
    assert len(set(identifiers)) == 1


async def test_a_contact_whose_event_is_late_is_waited_for(shop: Shop) -> None:
    contact_id = ContactId.new()
    campaign = await shop.campaign(contact_id)
    await shop.act(campaign, "schedule")
    await shop.until(campaign, "sending")
    await asyncio.sleep(0.5)
    emails = [{"address": "late@example.com", "primary": True, "verified": False}]
    await shop.publish(shop.consent(contact_id), shop.contact(contact_id, full_name="Late", emails=emails))
    await shop.until(campaign, "sent")
    assert len(shop.mail.to("late@example.com")) == 1


async def test_messages_are_read_only(shop: Shop) -> None:
    [(contact_id, _)] = await shop.people(1)
    [message] = (await shop.run(await shop.campaign(contact_id))).values()
    assert await shop.tenant.read(f"/v1/messages/{message['id']}") == message
    where = {"all": [{"field": "status", "op": "eq", "value": "sent"}]}
    assert (await shop.post("/v1/messages/search", where=where))["data"] == [message]
    for method, path in (("POST", "/v1/messages"), ("PATCH", f"/v1/messages/{message['id']}"),
                         ("DELETE", f"/v1/messages/{message['id']}")):  # fmt: skip
        assert (await shop.client.request(method, path, json={})).status_code == 405
