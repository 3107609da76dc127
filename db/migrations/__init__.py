"""The history of the tables. `db.migrations.apply` applies it; `alembic revision --autogenerate` adds to it."""
