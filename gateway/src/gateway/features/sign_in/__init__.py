"""Signing in: from a verified token's claims to a user, who is provisioned on first sight. It has no address of its own."""
