"""Facts: what orders, deals and tickets say of contacts, copied from their events and added up for each contact."""
