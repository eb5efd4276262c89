"""What operators do with a whole tenant: hold its writes, write all of it out, take it in elsewhere, delete it."""
