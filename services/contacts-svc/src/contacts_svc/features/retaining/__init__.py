"""Retaining: how a retention rule is carried out; `retention_rules` manages the rules."""
