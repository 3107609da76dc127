// Mercurius with its own loaders, and with graphql-jit from the first request on, as in its documentation.
import { load } from "./packages.mjs";
import { accountOf } from "./identity.mjs";
import { announce } from "./listening.mjs";
import { root, typeDefs } from "./root.mjs";
import * as rows from "./rows.mjs";

const app = load("fastify")();

// The batches merge equal parents themselves: Mercurius would compare their JSON.
const batched = (loader) => ({ loader, opts: { cache: false } });

const one = (type, key) =>
  batched((queries, { account }) =>
    rows.byId(
      type,
      account,
      queries.map(({ obj }) => obj[key]),
    ),
  );

const many = (relation, type) =>
  batched((queries, { account }) => rows.pages(relation, type, account, parentsOf(queries), queries[0].params.first));

const parentsOf = (queries) => queries.map(({ obj }) => obj.row_id);

async function members(queries, { account }) {
  const participants = queries.map(({ obj }) => obj);
  const [clients, hosts] = await Promise.all([
    rows.byId("Client", account, participants.map((participant) => participant.clientId)),
    rows.byId("Host", account, participants.map((participant) => participant.hostId)),
  ]);
  return participants.map((_, place) => clients[place] ?? hosts[place]);
}

// Each document has each field once, so all queries of a batch have the same arguments.
const loaders = {
  Conversation: {
    assignee: one("Host", "assigneeId"),
    source: one("Source", "sourceId"),
    bookings: many("bookings", "Booking"),
    inquiries: many("inquiries", "Inquiry"),
    participants: many("participants", "Participant"),
    messages: batched((queries, { account }) => rows.messagePages(account, parentsOf(queries), queries[0].params)),
  },
  Message: { sender: one("Participant", "senderId") },
  Participant: { member: batched(members) },
};

app.register(load("mercurius"), {
  schema: typeDefs,
  resolvers: root,
  loaders,
  context: (request) => ({ account: accountOf(request.headers.authorization) }),
  jit: 1,
});

await app.listen({ host: "127.0.0.1", port: 0 });
announce(app.server.address().port);
