"""Steady traffic for hours, the memory that processes have meanwhile, and a verdict on whether it grows."""
