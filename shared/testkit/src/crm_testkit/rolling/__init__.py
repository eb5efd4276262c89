"""Two releases side by side: a newer one made of the sources, and a stack that goes over to it and back under load."""
