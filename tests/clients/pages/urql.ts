// Uses the code of the page on urql: two pages of a list, an error, and an event that changes the list.

import { gql } from "@urql/core";
import { pipe, subscribe } from "wonka";
import WebSocket from "ws";
import { inboxClient } from "./page";

const { client } = inboxClient(process.env.URL!, () => process.env.TOKEN!, WebSocket);
const print = (line: unknown) => console.log(JSON.stringify(line));
const INBOX = gql`
  query Inbox($first: Int!, $after: String) {
    conversations(first: $first, after: $after, orderBy: { field: CREATED_AT, direction: ASC }) {
      edges { cursor node { id closed } }
      pageInfo { hasNextPage endCursor }
    }
  }`;

const { data } = await client.query(gql`{ changesCursor }`, {});
const first = await client.query(INBOX, { first: 2 });
const variables = { first: 2, after: first.data.conversations.pageInfo.endCursor };
const both = await client.query(INBOX, variables);
const wrong = await client.query(gql`{ node(id: "x") { id } }`, {});
print({
  ids: both.data.conversations.edges.map((edge: any) => edge.node.id),
  code: wrong.error!.graphQLErrors[0].extensions.code,
});

const FOLLOW = gql`
  subscription Follow($after: String!) {
    changes(after: $after, types: [CONVERSATION]) { changes { nodeId node { ... on Conversation { id closed } } } endCursor }
  }`;
pipe(
  client.subscription(FOLLOW, { after: data.changesCursor }),
  subscribe(({ data }) => {
    if (!data) return;
    const { edges } = client.readQuery(INBOX, variables)!.data.conversations;
    print({ closed: edges.map((edge: any) => edge.node.closed) });
    process.exit();
  }),
);
