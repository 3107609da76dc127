"""The history of the tables. `db.migration` applies it; `alembic revision --autogenerate` adds to it."""
