// Follows an account's messages with one of the clients that front ends use: `node clients.mjs NAME URL CURSOR`.
//
// The packages are taken from the folder PACKAGES; TOKEN is sent as front ends do. Each line of output is JSON:
// {"connected": true} whenever a connection was made, {"content": …} for each message, {"error": …}, and {"done": true}
// when the client has completed its subscription, which it does after the message "stop".

import { createRequire } from "node:module";
import { resolve } from "node:path";

const [, , name, url, cursor] = process.argv;
const require = createRequire(resolve(process.env.PACKAGES, "clients.js"));
const headers = { Authorization: `Bearer ${process.env.TOKEN}` };
const print = (line) => console.log(JSON.stringify(line));
const pause = () => new Promise((done) => setTimeout(done, 100));

const query = `subscription Follow($after: String) {
  changes(after: $after, types: [MESSAGE]) {
    changes { node { ... on Message { content } } }
    endCursor
  }
}`;
const variables = { after: cursor };

// With a new cursor, a client that connects again continues where it was. graphql-ws and graphql-sse send this object again.
const show = ({ changes: { changes, endCursor } }) => {
  variables.after = endCursor;
  for (const { node } of changes) {
    print({ content: node.content });
  }
  return changes.some(({ node }) => node.content === "stop");
};
const fail = (error) => print({ error: String(error?.message ?? error?.reason ?? error) });

const overWebSocket = () =>
  require("graphql-ws").createClient({
    url: url.replace("http", "ws"),
    webSocketImpl: require("ws"),
    connectionParams: headers,
    retryAttempts: 600,
    retryWait: pause,
    shouldRetry: () => true,
    on: { connected: () => print({ connected: true }) },
  });

const byApollo = ({ ApolloClient, ApolloLink, InMemoryCache, gql }, GraphQLWsLink, mapped) => {
  const continuing = new ApolloLink((operation, forward) =>
    mapped(forward(operation), (result) => {
      operation.variables.after = result.data?.changes?.endCursor ?? operation.variables.after;
      return result;
    }),
  );
  const client = new ApolloClient({
    link: continuing.concat(new GraphQLWsLink(overWebSocket())),
    cache: new InMemoryCache(),
  });
  const following = client.subscribe({ query: gql(query), variables, fetchPolicy: "no-cache" }).subscribe({
    next({ data, error }) {
      if (error) {
        fail(error);
      } else if (show(data)) {
        following.unsubscribe();
        print({ done: true });
      }
    },
    error: fail,
  });
};

const followers = {
  "graphql-ws"() {
    const client = overWebSocket();
    const end = client.subscribe(
      { query, variables },
      {
        next: ({ data }) => show(data) && end(),
        error: fail,
        complete: () => print({ done: true }),
      },
    );
  },

  "graphql-sse"() {
    const client = require("graphql-sse").createClient({
      url,
      headers,
      retryAttempts: 600,
      retry: pause,
      onMessage: () => {},
      on: { connected: () => print({ connected: true }) },
    });
    const end = client.subscribe(
      { query, variables },
      {
        next: ({ data }) => show(data) && end(),
        error: fail,
        complete: () => print({ done: true }),
      },
    );
  },

  "apollo-3"() {
    const { GraphQLWsLink } = require("@apollo/client/link/subscriptions");
    byApollo(require("@apollo/client/core"), GraphQLWsLink, (results, change) => results.map(change));
  },

  "apollo-4"() {
    const { GraphQLWsLink } = require("apollo-client-4/link/subscriptions");
    const { map } = require("rxjs");
    byApollo(require("apollo-client-4"), GraphQLWsLink, (results, change) => results.pipe(map(change)));
  },

  urql() {
    const { Client, subscriptionExchange } = require("@urql/core");
    const { pipe, subscribe } = require("wonka");
    const socket = overWebSocket();
    const client = new Client({
      url,
      preferGetMethod: false,
      exchanges: [
        subscriptionExchange({
          forwardSubscription: (request) => ({
            subscribe: (sink) => {
              const payload = { query: request.query ?? "", variables: { ...request.variables } };
              const next = (result) => {
                payload.variables.after = result.data?.changes?.endCursor ?? payload.variables.after;
                sink.next(result);
              };
              return { unsubscribe: socket.subscribe(payload, { ...sink, next }) };
            },
          }),
        }),
      ],
    });
    const following = pipe(
      client.subscription(query, variables),
      subscribe(({ data, error }) => {
        if (error) {
          fail(error);
        } else if (data && show(data)) {
          following.unsubscribe();
          print({ done: true });
        }
      }),
    );
  },
};

followers[name]();
