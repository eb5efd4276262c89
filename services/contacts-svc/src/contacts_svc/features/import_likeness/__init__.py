"""Rows of an import that are probably contacts that are there already."""
