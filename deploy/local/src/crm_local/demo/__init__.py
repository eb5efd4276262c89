"""`make demo`: a small company's week, played through the public API on a fresh stack."""
