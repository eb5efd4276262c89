"""Dead letters: what could be neither published nor applied, kept until somebody replays or discards it.

There are two stages. `outbox`: the event log refuses the event, and its row is quarantined. `consumer`: a consumer of
this service cannot apply it, and it is parked.
"""
