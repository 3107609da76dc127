"""Statements about conversations: stage, filters, search, counts, derived values and writes."""
