"""The kept file of an import, opened to be read."""
