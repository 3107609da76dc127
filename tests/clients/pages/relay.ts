// Uses the code of the page on Relay: two pages of a list, an error, and an event that changes the list.

import { createOperationDescriptor, fetchQuery, graphql, requestSubscription } from "relay-runtime";
import WebSocket from "ws";
import CURSOR from "./__generated__/relayCursorQuery.graphql";
import FOLLOW from "./__generated__/relayFollowSubscription.graphql";
import INBOX from "./__generated__/relayInboxQuery.graphql";
import WRONG from "./__generated__/relayWrongQuery.graphql";
import { inboxEnvironment } from "./page";

// The compiler reads these; nothing calls them.
export const documents = () => [
  graphql`query relayCursorQuery { changesCursor }`,
  graphql`query relayWrongQuery { conversations(first: 0) { pageInfo { hasNextPage } } }`,
  graphql`
    query relayInboxQuery($first: Int!, $after: String) {
      conversations(first: $first, after: $after, orderBy: { field: CREATED_AT, direction: ASC })
        @connection(key: "relay_conversations") {
        edges { node { id closed } }
        pageInfo { hasNextPage endCursor }
      }
    }`,
  graphql`
    subscription relayFollowSubscription($after: String!) {
      changes(after: $after, types: [CONVERSATION]) { changes { nodeId node { ... on Conversation { id closed } } } endCursor }
    }`,
];

const { environment } = inboxEnvironment(process.env.URL!, () => process.env.TOKEN!, WebSocket);
const print = (line: unknown) => console.log(JSON.stringify(line));
const ask = (document: any, variables: object): Promise<any> =>
  fetchQuery(environment, document, variables as any).toPromise() as Promise<any>;
const nodes = (): any[] =>
  (environment.lookup(createOperationDescriptor(INBOX as any, { first: 2 }).fragment).data as any).conversations.edges.map(
    (edge: any) => edge.node,
  );

const { changesCursor } = await ask(CURSOR, {});
const first = await ask(INBOX, { first: 2 });
environment.retain(createOperationDescriptor(INBOX as any, { first: 2 }));
await ask(INBOX, { first: 2, after: first.conversations.pageInfo.endCursor });
const wrong = await ask(WRONG, {}).catch((error) => error);
print({ ids: nodes().map((node) => node.id), code: wrong.source.errors[0].extensions.code });

requestSubscription(environment, {
  subscription: FOLLOW as any,
  variables: { after: changesCursor },
  onNext: () => {
    print({ closed: nodes().map((node) => node.closed) });
    process.exit();
  },
});
