// Uses the code of the page on Apollo Client: two pages of a list, an error, and an event that changes the list.

import { gql } from "@apollo/client/core";
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
const variables = { first: 2 };
const edges = () => client.readQuery({ query: INBOX, variables })!.conversations.edges;

const { data } = await client.query({ query: gql`{ changesCursor }` });
const list = client.watchQuery({ query: INBOX, variables });
list.subscribe(() => {});
const first = await list.result();
await list.fetchMore({ variables: { after: first.data.conversations.pageInfo.endCursor } });
const wrong = await client.query({ query: gql`{ node(id: "x") { id } }` }).catch((error) => error);
print({ ids: edges().map((edge: any) => edge.node.id), code: wrong.graphQLErrors[0].extensions.code });

const FOLLOW = gql`
  subscription Follow($after: String!) {
    changes(after: $after, types: [CONVERSATION]) { changes { nodeId node { ... on Conversation { id closed } } } endCursor }
  }`;
client.subscribe({ query: FOLLOW, variables: { after: data.changesCursor } }).subscribe(() => {
  print({ closed: edges().map((edge: any) => edge.node.closed) });
  process.exit();
});
