"""The columns of an export: what may be one, and what a record says in it."""
