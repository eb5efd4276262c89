"""Stages: the lifecycle that contacts and accounts are held against, and `lifecycle` manages."""
