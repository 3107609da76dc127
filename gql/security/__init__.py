"""Authentication and rate limits: tokens, the keys that verify them, and the budget of each principal."""
