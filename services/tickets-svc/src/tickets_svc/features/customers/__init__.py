"""Customers: this service's facts for the customer view, asked for by the gateway alone, and whose they are."""

from crm_contracts.registry import ACCOUNT, CONTACT
from crm_kit.manifest import Feature
from crm_kit.rights.copies import follow_owners

from tickets_svc.features.customers.router import router

FEATURE = Feature(router=router, consumers=(follow_owners("tickets", {CONTACT: "account_id", ACCOUNT: None}),))
