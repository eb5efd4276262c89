"""Names and bounds that tag rules share."""

from datetime import timedelta
from typing import Final

EVALUATION: Final = "tag_rule_evaluation"
"""The timer that holds a tenant's contacts against the rules after one has changed, a page at a time."""

DUE: Final = "tag_rules_due"
"""The timer that holds those against them of which time alone may have changed something."""

PAGE: Final = 200
"""Contacts that one step looks at, and changes, at most."""

EVERY: Final = timedelta(minutes=1)
"""How often it is looked for what has come due: so late a tag may come or go by time."""

MAX_RULES: Final = 500
"""Of a tenant, those that are not active among them."""

ACTOR: Final = "tag_rules"
"""Who gave or took a tag where no single rule did."""

VIA: Final = "rule"
