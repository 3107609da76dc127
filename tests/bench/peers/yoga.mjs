// GraphQL Yoga with dataloader, as in its documentation. Documents are parsed and validated once.
import { createServer } from "node:http";
import { load } from "./packages.mjs";
import { accountOf } from "./identity.mjs";
import { announce } from "./listening.mjs";
import { root, typeDefs } from "./root.mjs";
import * as rows from "./rows.mjs";

const DataLoader = load("dataloader");
const { createSchema, createYoga } = load("graphql-yoga");

// The loaders of one request: one for each relation, made when first used.
class Loaders {
  #made = new Map();

  constructor(account) {
    this.account = account;
  }

  one(type, id) {
    if (id === null) return null;
    return this.#loader(type, (ids) => rows.byId(type, this.account, ids)).load(id);
  }

  many(relation, type, parent, { first }) {
    return this.#loader(relation, (ids) => rows.pages(relation, type, this.account, ids, first)).load(parent.row_id);
  }

  // Each document has each field once, so the arguments need not be in the key.
  messages(parent, size) {
    return this.#loader("messages", (ids) => rows.messagePages(this.account, ids, size)).load(parent.row_id);
  }

  #loader(key, batch) {
    let loader = this.#made.get(key);
    if (loader === undefined) this.#made.set(key, (loader = new DataLoader(batch)));
    return loader;
  }
}

const resolvers = {
  ...root,
  Member: { __resolveType: ({ __typename }) => __typename },
  Conversation: {
    assignee: ({ assigneeId }, _, { loaders }) => loaders.one("Host", assigneeId),
    source: ({ sourceId }, _, { loaders }) => loaders.one("Source", sourceId),
    bookings: (parent, size, { loaders }) => loaders.many("bookings", "Booking", parent, size),
    inquiries: (parent, size, { loaders }) => loaders.many("inquiries", "Inquiry", parent, size),
    participants: (parent, size, { loaders }) => loaders.many("participants", "Participant", parent, size),
    messages: (parent, size, { loaders }) => loaders.messages(parent, size),
  },
  Message: { sender: ({ senderId }, _, { loaders }) => loaders.one("Participant", senderId) },
  Participant: {
    member: ({ clientId, hostId }, _, { loaders }) => loaders.one("Client", clientId) ?? loaders.one("Host", hostId),
  },
};

const yoga = createYoga({
  schema: createSchema({ typeDefs, resolvers }),
  context({ request }) {
    const account = accountOf(request.headers.get("authorization"));
    return { account, loaders: new Loaders(account) };
  },
  graphiql: false,
  logging: false,
});

const server = createServer(yoga);
server.listen(0, "127.0.0.1", () => announce(server.address().port));
