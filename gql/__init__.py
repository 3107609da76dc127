"""The GraphQL server. Each line imports only from the lines above it; a test holds the order.

settings        the configuration; only this module reads the environment
log             one line for each event, and counters for operators
errors          error codes with their HTTP statuses; masks unexpected exceptions
security        token -> viewer; rates and budgets of a principal
context         the state of one operation: viewer, snapshot, loaders
loaders         one DataLoader for each relation and its arguments
fields          the kinds of fields: relations, nodes, connections, filters, enums, scalars
types           the entities, one file each
queries         the root Query
mutations       the mutations, one file for each entity; a payload contains the root Query
subscriptions   the root Subscription
execution       document -> result: measured, cached, charged, planned, executed a level at a time
schema          the roots assembled into one schema
live            changes as they are committed: each document executed once for all that subscribe with it
webhooks        the worker: deliveries from the change log, sent to the endpoints of accounts
web             transports: the GraphQL-over-HTTP endpoint, GraphiQL, the server
app             the Starlette application
demo            the other side of the demo, over HTTP: a guest who writes, a channel that relays
cli             the command `inbox`
"""
