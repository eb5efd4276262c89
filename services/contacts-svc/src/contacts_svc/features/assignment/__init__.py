"""Assigning records to teams: what contacts and accounts follow, and `territories` decides by conditions."""
