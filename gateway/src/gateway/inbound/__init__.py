"""What systems outside send by webhooks, and what it means: signatures, payloads, mappings. It knows no database and no HTTP."""
