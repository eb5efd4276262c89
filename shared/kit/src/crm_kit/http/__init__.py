"""HTTP as every service speaks it: problems, transactions, preconditions, idempotency, paging."""
