"""Field history: what a member of a contact or an account was, when, by whom and from where; as the audit log tells it."""
