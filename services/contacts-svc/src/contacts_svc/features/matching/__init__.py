"""Whether two contacts are one person: followed by contacts, which keep the keys, and by duplicates, which compare them."""
