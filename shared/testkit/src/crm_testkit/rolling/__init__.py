"""Two releases side by side under load: what a stack goes over to, and back from, process by process."""
