"""The GraphQL server. From the bottom to the top, each module importing only from those before it:

settings        what can be configured, and the only reader of the environment
errors          error codes, refusals, user errors, masking
scalars         DateTime, Decimal, BigInt
context         what a request carries: viewer, snapshot, loaders
loaders         one DataLoader per relation and arguments
node            global ids and the Node interface
connection      Connection, Edge, PageInfo
filters         filter and order inputs
fields          a declaration -> a Strawberry field
mutation        a function -> a mutation field with its payload
types           one file an entity
mutations       one file an entity
queries         the root Query
schema          all of it as one schema
document        a document's text -> parsed, validated, scope-checked; cached
auth            bearer token -> viewer
http            the GraphQL-over-HTTP endpoint
graphiql        the GraphiQL page
app             the Starlette application
cli             the command `inbox`
"""
