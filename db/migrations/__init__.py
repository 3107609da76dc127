"""The history of the tables: `apply` migrates, `revision` says whether this version can serve a database."""
