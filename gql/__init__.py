"""The GraphQL server: its modules from the bottom to the top, each importing only from those before it.

settings        what can be configured, and the only reader of the environment
log             a line an event: colours on a terminal, JSON elsewhere
errors          error codes, refusals, user errors, masking
security        who asks, and how much: tokens, keys, rates
context         what a request carries: viewer, snapshot, loaders
loaders         one DataLoader per relation and arguments
fields          how a type is declared: relations, nodes, connections, filters, enums, scalars
types           one file an entity
mutations       one file an entity
queries         the root Query
execution       a document -> its answer: measured, cached, planned, run a level at a time
schema          all of it as one schema
web             the GraphQL-over-HTTP endpoint, GraphiQL, the server
app             the Starlette application
cli             the command `inbox`
"""
