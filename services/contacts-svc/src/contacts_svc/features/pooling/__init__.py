"""Pooling: what a contact keeps of its pool, and `pools` manages."""
