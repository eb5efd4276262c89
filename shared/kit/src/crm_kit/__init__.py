"""How a service of Relata runs: settings, HTTP, database, outbox, inbox, event log. Knows no business noun."""
