"""Written words as they are compared and found: one case, one script, no marks, and Chinese in pinyin. Pure."""
