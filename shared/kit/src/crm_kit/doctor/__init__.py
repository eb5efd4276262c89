"""`python -m <service> doctor`: looks at everything that a service stands on and says what is wrong, and what to do."""
