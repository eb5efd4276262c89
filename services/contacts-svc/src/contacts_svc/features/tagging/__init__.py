"""Tagging: the tags that contacts have by rules, which `tag_rules` manages."""
