"""The embedded stack: PostgreSQL, services and gateway on one machine, supervised (`make run`)."""
