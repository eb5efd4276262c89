"""Relating: what becomes of relationships when their ends go, merge and come back; `relationships` serves them."""
