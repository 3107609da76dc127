"""Who asks, and how much they may ask for: tokens, the keys that verify them, and rates."""
