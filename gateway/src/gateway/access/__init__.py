"""Access: who asks, and how often they may. Nothing here knows a feature; `composition.py` puts the parts together."""
