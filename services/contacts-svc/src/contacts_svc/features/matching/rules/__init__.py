"""How duplicates are told: what contacts are compared by, how far two agree, and what that says. Pure.

`profile.py` is a contact as it is compared, `keys.py` finds whom to compare it with, `scoring.py` says how sure it is.
"""
