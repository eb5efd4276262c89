"""The rows of an export: what who asked may see of each record, written as the file has it."""
