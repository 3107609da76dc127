// Loads rows for the GraphQL types in batches: one prepared statement per relation, pages by LATERAL.
// Mercurius and Yoga use this module; PostGraphile generates its own SQL.
import { load } from "./packages.mjs";
import { encodeId } from "./identity.mjs";

const { Pool, types } = load("pg");

const BIGINT = 20;
const TIMESTAMPTZ = 1184;

types.setTypeParser(BIGINT, Number);
types.setTypeParser(TIMESTAMPTZ, moment);

const pool = new Pool({
  connectionString: process.env.DATABASE_URL,
  max: Number(process.env.INBOX_POOL_SIZE),
  options: "-c TimeZone=UTC",
});

// "2026-05-04 09:30:00.12+00" -> "2026-05-04T09:30:00.120Z": a Date for each moment takes several times as long.
function moment(text) {
  const milliseconds = text.length > 22 ? text.slice(20, -3).slice(0, 3).padEnd(3, "0") : "000";
  return `${text.slice(0, 10)}T${text.slice(11, 19)}.${milliseconds}Z`;
}

// The expression of the index; otherwise each page would sort all conversations.
const NEWEST = "CASE WHEN last_message_at IS NULL THEN '-infinity'::timestamptz ELSE last_message_at END";
const CONVERSATION = `id AS row_id, subject, default_channel AS "defaultChannel", closed_at IS NOT NULL AS closed,
  marked_as_spam_at IS NOT NULL AS "markedAsSpam", last_message_at AS "lastMessageAt", updated_at AS "updatedAt",
  read,
  assignee_id AS "assigneeId", source_id AS "sourceId"`;
const PARTICIPANT = `id AS row_id, member_type AS "memberType", read_at AS "readAt", created_at AS "createdAt",
  last_message_sent_at AS "lastMessageSentAt", client_id AS "clientId", host_id AS "hostId"`;

const SQL = {
  page: `SELECT ${CONVERSATION} FROM conversations WHERE account_id = $1 AND (${NEWEST}, id) < ($2::timestamptz, $3)
    ORDER BY ${NEWEST} DESC, id DESC LIMIT $4`,
  conversation: `SELECT ${CONVERSATION} FROM conversations WHERE account_id = $1 AND id = $2`,
  held: "SELECT closed_at IS NOT NULL AS closed FROM conversations WHERE account_id = $1 AND id = $2 FOR NO KEY UPDATE",
  close: `UPDATE conversations SET closed_at = CASE WHEN $3 THEN now() END, updated_at = now()
    WHERE account_id = $1 AND id = $2`,
  Host: "SELECT id AS row_id, firstname, lastname, email FROM hosts WHERE account_id = $1 AND id = ANY($2)",
  Client: "SELECT id AS row_id, fullname, email, phone FROM clients WHERE account_id = $1 AND id = ANY($2)",
  Source: `SELECT id AS row_id, name, internal, created_at AS "createdAt" FROM sources
    WHERE account_id = $1 AND id = ANY($2)`,
  Participant: `SELECT ${PARTICIPANT} FROM participants WHERE account_id = $1 AND id = ANY($2)`,
  bookings: children(`SELECT b.id AS row_id, reference, status, start_at AS "startAt", end_at AS "endAt",
      final_price AS "finalPrice"
    FROM conversation_bookings l JOIN bookings b ON b.account_id = l.account_id AND b.id = l.booking_id
    WHERE l.account_id = $1 AND l.conversation_id = parent.id ORDER BY l.booking_id`),
  inquiries: children(`SELECT id AS row_id, firstname, lastname, email FROM inquiries
    WHERE account_id = $1 AND conversation_id = parent.id ORDER BY id`),
  participants: children(`SELECT ${PARTICIPANT} FROM participants
    WHERE account_id = $1 AND conversation_id = parent.id ORDER BY id`),
  firstMessages: messages("sent_at, id"),
  lastMessages: messages("sent_at DESC, id DESC"),
};

function children(select) {
  return `SELECT parent.id AS parent, child.* FROM unnest($2::bigint[]) parent (id)
    CROSS JOIN LATERAL (${select} LIMIT $3) child`;
}

function messages(order) {
  return children(`SELECT id AS row_id, content, channel, origin, visibility, sent_at AS "sentAt",
      sender_id AS "senderId"
    FROM messages WHERE account_id = $1 AND conversation_id = parent.id ORDER BY ${order}`);
}

async function read(name, values, type) {
  const { rows } = await pool.query({ name, text: SQL[name], values });
  for (const row of rows) identify(row, type, values[0]);
  return rows;
}

// Adds the global id and the type, which is needed for unions, to a row.
function identify(row, type, account) {
  row.id = encodeId(type, account, row.row_id);
  row.__typename = type;
}

export const page = async (account, first, { moment, id }) => ({
  nodes: await read("page", [account, moment, id, first], "Conversation"),
});

export const conversation = async (account, id) =>
  (await read("conversation", [account, id], "Conversation"))[0] ?? null;

// The rows of `type` with these ids, in the order of the ids; null for a missing row.
export async function byId(type, account, ids) {
  const wanted = [...new Set(ids)].filter((id) => id !== null);
  const rows = wanted.length === 0 ? [] : await read(type, [account, wanted], type);
  const found = new Map(rows.map((row) => [row.row_id, row]));
  return ids.map((id) => found.get(id) ?? null);
}

// A page of `relation` for each of the conversations, in the same order.
export async function pages(relation, type, account, conversations, size) {
  const nodes = new Map(conversations.map((id) => [id, []]));
  for (const row of await read(relation, [account, [...nodes.keys()], size], type)) nodes.get(row.parent).push(row);
  return conversations.map((id) => ({ nodes: nodes.get(id) }));
}

// The first messages of each conversation or, with `last`, the last ones; the oldest first either way.
export async function messagePages(account, conversations, { first, last }) {
  if (typeof last !== "number") return pages("firstMessages", "Message", account, conversations, first ?? 20);
  const found = await pages("lastMessages", "Message", account, conversations, last);
  return found.map(({ nodes }) => ({ nodes: nodes.reverse() }));
}

// Closes or opens a conversation in one transaction that locks its row. Returns whether it exists.
export async function close(account, id, closed) {
  const client = await pool.connect();
  try {
    await client.query("BEGIN");
    const { rows } = await client.query({ name: "held", text: SQL.held, values: [account, id] });
    if (rows.length > 0 && rows[0].closed !== closed) {
      await client.query({ name: "close", text: SQL.close, values: [account, id, closed] });
    }
    await client.query("COMMIT");
    return rows.length > 0;
  } catch (error) {
    await client.query("ROLLBACK");
    throw error;
  } finally {
    client.release();
  }
}
