"""The data of the inbox: tables, tenancy, pages, relations and statements.

Bottom to top: `tables` (SQLModel, columns and keys), `scope` (who sees what), `page` (keyset arithmetic, pure),
`criterion` (conditions, pure), `engine` (connections), `relations` (batched loading), `queries` (everything that is
not a relation), and beside them `embedded`, `migrations`, `seed` and `bookingsync` (the import). Nothing here knows
GraphQL.
"""
