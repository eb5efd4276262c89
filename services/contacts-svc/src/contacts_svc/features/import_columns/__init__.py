"""The columns of an import: what is usually written above them, and what each may mean."""
