"""HTTP: the GraphQL endpoint, GraphiQL, and the server that runs both."""
