"""Templates through the public door."""

from typing import Any

from crm_contracts.ids import ContactId

Shop = Any  # the fixture's class lives in conftest.py, which is no module to import from


async def test_a_template_that_breaks_the_rules_is_refused_with_its_place(shop: Shop) -> None:
    body = {
        "name": "Bad",
        "subject": "{{ contact.nickname }}",
        "body_text": "Hello\n{% for x in y %}{% endfor %}",
        "body_html": "<p>{{ 'a' * 99999999 }}</p>",
    }
    answer = await shop.client.post("/v1/templates", json=body, headers={"Accept-Language": "zh-CN"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_template")
    errors = answer.json()["errors"]
    assert [error["pointer"] for error in errors] == ["/subject", "/body_text", "/body_html"]
    assert errors[1]["detail"].startswith("第 2 行")

    template = await shop.template()
    answer = await shop.client.patch(f"/v1/templates/{template['id']}", json={"body_text": "{{ x }}"})
    assert [error["pointer"] for error in answer.json()["errors"]] == ["/body_text"]
    assert await shop.tenant.read(f"/v1/templates/{template['id']}") == template


async def test_an_email_has_a_subject_and_nothing_else_has(shop: Shop) -> None:
    for fields in ({"subject": None}, {"subject": "  "}, {"channel": "sms"}):
        body = {"name": "N", "subject": "S", "body_text": "T", **fields}
        assert (await shop.client.post("/v1/templates", json=body)).status_code == 422


async def test_a_preview_shows_what_would_be_sent(shop: Shop, new_account_id: str) -> None:
    template = await shop.template(
        subject="{{ contact.full_name }}\n{{ account.name }}",
        body_text="{{ contact.custom.size }} {{ contact.email }}\n{{ unsubscribe_url }}",
        body_html="<b>{{ contact.full_name }}</b> {{ campaign.name }}",
    )
    path = f"/v1/templates/{template['id']}/preview"
    contact = {"full_name": "Eve & Co", "email": "eve@example.com", "custom": {"size": "XL"}}
    shown = await shop.post(path, contact=contact, account={"name": "Acme"})
    assert shown == {
        "subject": "Eve & Co Acme",
        "text": "XL eve@example.com\nhttps://crm.shop.example/v1/unsubscribe/preview",
        "html": "<b>Eve &amp; Co</b> Preview",
    }
    assert (await shop.post(path))["subject"] == ""

    await shop.publish(shop.account(new_account_id, name="示例公司"))
    [(contact_id, address)] = await shop.people(1, account_id=new_account_id, custom={"size": "M"})
    shown = await shop.post(path, contact_id=contact_id)
    assert (shown["subject"], shown["text"].splitlines()[0]) == ("李雷 示例公司", f"M {address}")

    unknown = await shop.client.post(path, json={"contact_id": ContactId.new()})
    assert (unknown.status_code, unknown.json()["errors"][0]["pointer"]) == (422, "/contact_id")


async def test_a_preview_that_cannot_be_says_so(shop: Shop) -> None:
    template = await shop.template(body_text="{% if contact.custom.points > 10 %}x{% endif %}")
    path = f"/v1/templates/{template['id']}/preview"
    answer = await shop.client.post(path, json={"contact": {"custom": {"points": "many"}}})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_template")
    assert (await shop.post(path, contact={"custom": {"points": 11}}))["text"] == "x"
