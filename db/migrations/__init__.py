"""Migrations: `apply` runs them; `revision` checks whether this version can serve a database."""
