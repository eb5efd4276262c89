"""How Relata is delivered: what runs, the chart, its manifests and what they are held to, and what is in the images."""
