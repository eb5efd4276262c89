"""Declaring: the custom fields that contacts, accounts and activities are held against, and `custom_fields` manages."""
