"""What is left of quotas to all gateway processes together. It has no address of its own."""
