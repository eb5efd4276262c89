"""What the rows of an import refer to, and may be found by."""
