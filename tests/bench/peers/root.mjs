// The root fields that Mercurius and Yoga share. The context of a request has its `account`.
import { readFileSync } from "node:fs";
import { conversationNumber, positionOf } from "./identity.mjs";
import * as rows from "./rows.mjs";

export const typeDefs = readFileSync(new URL("schema.graphql", import.meta.url), "utf8");

export const root = {
  Query: {
    conversations: (_, { first, after }, { account }) => rows.page(account, first, positionOf(after)),
    conversation: (_, { id }, { account }) => rows.conversation(account, conversationNumber(account, id)),
  },
  Mutation: { updateConversation },
  Member: { resolveType: ({ __typename }) => __typename },
};

async function updateConversation(_, { input }, { account }) {
  const id = conversationNumber(account, input.conversationId);
  if (await rows.close(account, id, input.closed)) {
    return { conversation: await rows.conversation(account, id), userErrors: [] };
  }
  const missing = { message: "There is no such conversation", path: ["input", "conversationId"] };
  return { conversation: null, userErrors: [missing] };
}
