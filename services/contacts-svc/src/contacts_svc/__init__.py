"""contacts-svc: the one true record of a customer."""
