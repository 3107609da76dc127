"""What follows the change log while the server runs: `retention` removes its old part."""
