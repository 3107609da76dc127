"""The data of the inbox: tables, tenancy, pages, relations and statements. Nothing here imports GraphQL.

From the bottom to the top: `tables` (SQLModel, columns and keys), `scope` (the viewer, and the tenant predicate),
`page` (keyset paging, pure), `criterion` (conditions, pure), `statement` (what is run), `thread` (for long
computations), `engine` (connections, from a `pool`; `failure` has its errors, and `session` how connections are set
up), `compiled` (statements that are kept, in a `cache`), `relations` (batched loading), `queries` (everything that is
not a relation); beside them `embedded`, `migrations`, `seed` and `bookingsync` (the import).
`refusal` has the error of a command that cannot do its work.

How SQL is written:

SQLAlchemy Core    what the server reads and writes: built from the tables, started by `scope`, compiled once into an
                   `statement.Statement`, and run by asyncpg
plain SQL          values derived for many conversations at once (`queries.conversation.derived`), which mutations, the
                   import, the seed and migrations share; and the steps of the import, as templates over the kinds of
                   records (`bookingsync.staging.fill`)
COPY               rows in bulk: the seed, and the import's staging tables
Alembic            migrations, the only place where a SQLAlchemy engine connects

There is no ORM session: rows are read-only, and every change is an explicit statement.
"""
