"""What orders, invoices and payments have in common, most of which other systems write: whose they are, and what those call them."""
