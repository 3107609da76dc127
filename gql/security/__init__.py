"""Authentication and rate limits: tokens, the keys that verify them, and budgets per principal."""
