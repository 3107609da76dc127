"""Every statement about conversations: their stage, filters, search, counts, what is derived, and what is written."""
