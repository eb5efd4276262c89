"""pipeline-svc: what is being sold, and what was."""
