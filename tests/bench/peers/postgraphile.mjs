// PostGraphile 5: its introspection of the tables, its planner and its SQL, with the schema of the documents instead of
// the derived one, because other names and ids would give other responses.
import { createServer } from "node:http";
import { load } from "./packages.mjs";
import { accountOf, conversationNumber, encodeId, positionOf } from "./identity.mjs";
import { announce } from "./listening.mjs";
import { typeDefs } from "./root.mjs";

const { postgraphile } = load("postgraphile");
const { PostGraphileAmberPreset } = load("postgraphile/presets/amber");
const { makePgService } = load("postgraphile/adaptors/pg");
const { extendSchema } = load("postgraphile/utils");
const { connection, context, each, get, lambda, object } = load("postgraphile/grafast");
const { TYPES, withPgClientTransaction } = load("postgraphile/@dataplan/pg");
const { sql } = load("postgraphile/@dataplan/pg/pg-sql2");
const { parse } = load("graphql");
const { Pool } = load("pg");
const { grafserv } = load("postgraphile/grafserv/node");

const account = () => context().get("account");

const named = (type) => ($row) => lambda([account(), $row.get("id")], ([its, id]) => encodeId(type, its, id), true);

// "2026-05-04T09:30:00.12+00:00" -> "2026-05-04T09:30:00.120Z".
const moment = (column) => ($row) => lambda($row.get(column), shown, true);

function shown(text) {
  if (text === null) return null;
  const milliseconds = text.length > 25 ? text.slice(20, -6).slice(0, 3).padEnd(3, "0") : "000";
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${milliseconds}Z`;
}

const column = (name) => ($row) => $row.get(name);

const expression = (codec, make) => ($row) => $row.select(make($row.getClassStep().alias), codec);

const nodes = { plans: { nodes: ($connection) => $connection.nodes() } };

function plans({ pgResources: tables }) {
  const row = (table, key) => ($parent) => table.get({ account_id: account(), id: $parent.get(key) });

  const booked = ($link) => tables.bookings.get({ account_id: account(), id: $link.get("booking_id") });

  const children = (table) => ($parent, { $first }) => {
    const $rows = table.find({ account_id: account(), conversation_id: $parent.get("id") });
    $rows.orderBy({ attribute: "id", direction: "ASC" });
    $rows.setFirst($first);
    return connection($rows);
  };

  function conversations(_, { $first, $after }) {
    const $rows = tables.conversations.find({ account_id: account() });
    const last = sql`${$rows.alias}.last_message_at`;
    // The expression of the index; otherwise each page would sort all conversations.
    const newest = sql`(case when ${last} is null then '-infinity'::timestamptz else ${last} end)`;
    const $position = lambda($after, positionOf, true);
    const moment = $rows.placeholder(get($position, "moment"), TYPES.timestamptz);
    const id = $rows.placeholder(get($position, "id"), TYPES.bigint);
    $rows.where(sql`(${newest}, ${$rows.alias}.id) < (${moment}, ${id})`);
    $rows.orderBy({ fragment: newest, codec: TYPES.timestamptz, direction: "DESC" });
    $rows.orderBy({ attribute: "id", direction: "DESC" });
    $rows.setFirst($first);
    return connection($rows);
  }

  const numbered = ($id) => lambda([account(), $id], ([its, id]) => conversationNumber(its, id), true);

  const conversation = (_, { $id }) => tables.conversations.get({ account_id: account(), id: numbered($id) });

  function bookings($parent, { $first }) {
    const $links = tables.conversation_bookings.find({ account_id: account(), conversation_id: $parent.get("id") });
    $links.orderBy({ attribute: "booking_id", direction: "ASC" });
    $links.setFirst($first);
    return connection($links);
  }

  function messages($parent, { $first, $last }) {
    const $rows = tables.messages.find({ account_id: account(), conversation_id: $parent.get("id") });
    $rows.orderBy({ attribute: "sent_at", direction: "ASC" });
    $rows.orderBy({ attribute: "id", direction: "ASC" });
    $rows.setFirst($first);
    $rows.setLast($last);
    return connection($rows);
  }

  function updateConversation(_, { $input }) {
    const $id = numbered(get($input, "conversationId"));
    const $given = object({ account: account(), id: $id, closed: get($input, "closed") });
    return withPgClientTransaction(tables.conversations.executor, $given, close);
  }

  return {
    typeDefs: parse(typeDefs.replace("type Query", "extend type Query").replace("type Mutation", "extend type Mutation")),
    objects: {
      Query: { plans: { conversations, conversation } },
      Mutation: { plans: { updateConversation } },
      UpdateConversationPayload: {
        plans: {
          conversation: ($done) => tables.conversations.get({ account_id: account(), id: get($done, "id") }),
          userErrors: ($done) => get($done, "userErrors"),
        },
      },
      ConversationConnection: nodes,
      InquiryConnection: nodes,
      ParticipantConnection: nodes,
      MessageConnection: nodes,
      BookingConnection: { plans: { nodes: ($links) => each($links.nodes(), booked) } },
      Conversation: {
        plans: {
          id: named("Conversation"),
          defaultChannel: column("default_channel"),
          closed: expression(TYPES.boolean, (alias) => sql`(${alias}.closed_at is not null)`),
          markedAsSpam: expression(TYPES.boolean, (alias) => sql`(${alias}.marked_as_spam_at is not null)`),
          read: expression(TYPES.boolean, (alias) => sql`${alias}.read`),
          lastMessageAt: moment("last_message_at"),
          updatedAt: moment("updated_at"),
          assignee: row(tables.hosts, "assignee_id"),
          source: row(tables.sources, "source_id"),
          bookings,
          inquiries: children(tables.inquiries),
          participants: children(tables.participants),
          messages,
        },
      },
      Booking: {
        plans: {
          id: named("Booking"),
          startAt: moment("start_at"),
          endAt: moment("end_at"),
          finalPrice: column("final_price"),
        },
      },
      Inquiry: { plans: { id: named("Inquiry") } },
      Host: { plans: { id: named("Host") } },
      Client: { plans: { id: named("Client") } },
      Source: { plans: { id: named("Source"), createdAt: moment("created_at") } },
      Message: { plans: { id: named("Message"), sentAt: moment("sent_at"), sender: row(tables.participants, "sender_id") } },
      Participant: {
        plans: {
          id: named("Participant"),
          memberType: column("member_type"),
          readAt: moment("read_at"),
          lastMessageSentAt: moment("last_message_sent_at"),
          createdAt: moment("created_at"),
          member: ($row) => object({ client: $row.get("client_id"), host: $row.get("host_id") }),
        },
      },
    },
    unions: { Member: { planType: memberPlanner(tables) } },
  };
}

// A member is a client or a host, depending on the participant.
function memberPlanner(tables) {
  const source = { Client: ["client", tables.clients], Host: ["host", tables.hosts] };
  return ($member) => ({
    $__typename: lambda($member, ({ client }) => (client === null ? "Host" : "Client"), true),
    planForType({ name }) {
      const [key, table] = source[name];
      return table.get({ account_id: account(), id: get($member, key) });
    },
  });
}

async function close(client, { account, id, closed }) {
  const values = [account, id];
  const held = await client.query({
    name: "held",
    text: "SELECT closed_at IS NOT NULL AS closed FROM conversations WHERE account_id = $1 AND id = $2 FOR NO KEY UPDATE",
    values,
  });
  if (held.rows.length === 0) {
    return { id: 0, userErrors: [{ message: "There is no such conversation", path: ["input", "conversationId"] }] };
  }
  if (held.rows[0].closed !== closed) {
    await client.query({
      name: "close",
      text: `UPDATE conversations SET closed_at = CASE WHEN $3::boolean THEN now() END, updated_at = now()
        WHERE account_id = $1 AND id = $2`,
      values: [...values, closed],
    });
  }
  return { id, userErrors: [] };
}

// The types that PostGraphile derives from the tables would have the same names as the documents' types.
const renaming = {
  name: "RenamingPlugin",
  version: "0.0.0",
  inflection: {
    replace: {
      tableType: (previous, _options, codec) => `Table${previous(codec)}`,
      enumType: (previous, _options, codec) => `Table${previous(codec)}`,
    },
  },
};

const pool = new Pool({
  connectionString: process.env.DATABASE_URL,
  max: Number(process.env.INBOX_POOL_SIZE),
  options: "-c TimeZone=UTC",
});

const preset = {
  extends: [PostGraphileAmberPreset],
  disablePlugins: ["PgMutationCreatePlugin", "PgMutationUpdateDeletePlugin", "NodePlugin"],
  plugins: [renaming, extendSchema(plans)],
  pgServices: [makePgService({ pool, schemas: ["public"] })],
  grafserv: { graphqlPath: "/graphql", graphiql: false, watch: false },
  grafast: {
    explain: false,
    context: ({ node }) => ({ account: accountOf(node.req.headers.authorization) }),
  },
};

const server = createServer();
await postgraphile(preset).createServ(grafserv).addTo(server);
server.listen(0, "127.0.0.1", () => announce(server.address().port));
