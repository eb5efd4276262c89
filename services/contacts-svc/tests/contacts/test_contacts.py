"""Contacts through the public door."""

from crm_testkit.service import ServiceUnderTest


async def test_a_created_contact_is_normalised_and_published(service: ServiceUnderTest) -> None:
    tenant = service.tenant()
    contact = await tenant.create(
        "/v1/contacts",
        full_name="欧阳晓梅",
        emails=[{"address": "Xiaomei@Example.COM"}],
        phones=[{"number": "138 0013 8000"}],
        tags=["vip", "vip"],
    )
    assert contact["phones"] == [{"number": "+8613800138000", "label": None}]
    assert contact["emails"] == [{"address": "Xiaomei@example.com", "primary": True, "verified": False}]
    assert (contact["last_name"], contact["first_name"], contact["tags"]) == ("欧阳", "晓梅", ["vip"])
    assert await tenant.read(f"/v1/contacts/{contact['id']}") == contact

    [event] = await service.events("crm.contacts.contact", key=contact["id"])
    assert event.entity == contact
    assert (event.type, event.sequence, event.tenant_id) == ("crm.contacts.contact.created.v1", 1, tenant.id)
