"""Customers found by any part of what they are called and reached by, in Latin and Chinese, by pinyin and with slips (ADR 0039).

`fields.py` says what of a customer is searched, `grams.py` by what an index finds it, `query.py` what somebody asks for,
`matching.py` how well it fits; `finding.py` asks the database, from the narrowest question to the widest.
"""
