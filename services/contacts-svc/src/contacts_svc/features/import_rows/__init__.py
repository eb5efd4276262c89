"""The rows of an import: what a table's columns mean, what becomes of each row, and how that is taken back."""
