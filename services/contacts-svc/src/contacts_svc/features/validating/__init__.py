"""Validating: the rules that contacts and accounts are held against, and `validation_rules` manages."""
