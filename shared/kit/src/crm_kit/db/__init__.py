"""PostgreSQL: engine, sessions, tenancy, migrations, and the embedded server."""
