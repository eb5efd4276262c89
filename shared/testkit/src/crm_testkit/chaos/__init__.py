"""Faults against a whole stack under load, and a checker that reads what every client was told.

`round` plays one seed: careful writers of two tenants (`clients`) while a nemesis (`nemesis`) harms the processes, the
databases, the event log and the connections (`links`) of a stack (`stack`); then `observed` reads the end state and
`checker` compares it with the history. `planted` holds the bugs that the checker must find.
"""
