"""Holding: what keeps a contact, and what is logged of it, from being taken away; `legal_holds` manages the holds."""
