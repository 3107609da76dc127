// Tokens, ids and cursors in the formats of this project's server, so that requests and responses are equal.
import { createHmac, timingSafeEqual } from "node:crypto";

const decoded = (text) => JSON.parse(Buffer.from(text, "base64url"));

const verified = new Map();

// The account of a bearer token. A token is verified once and cached, as in the server.
export function accountOf(authorization) {
  const known = verified.get(authorization);
  if (known !== undefined && known.expires > Date.now()) return known.account;
  const [head, claims, signature] = authorization.slice("Bearer ".length).split(".");
  const expected = createHmac("sha256", process.env.INBOX_JWT_SECRET).update(`${head}.${claims}`).digest();
  if (!timingSafeEqual(expected, Buffer.from(signature, "base64url"))) throw new Error("This token is not valid");
  const { account, exp } = decoded(claims);
  verified.set(authorization, { account, expires: exp * 1000 });
  return account;
}

export const encodeId = (type, account, id) => Buffer.from(`${type}:${account}:${id}`).toString("base64url");

// The number of a conversation in this account; 0, which no row has, for a conversation of another account.
export function conversationNumber(account, text) {
  const [, itsAccount, id] = Buffer.from(text, "base64url").toString().split(":");
  return Number(itsAccount) === account ? Number(id) : 0;
}

// The position after which a page begins. Without a cursor it is before all rows, so that one statement is enough.
export function positionOf(cursor) {
  if (cursor === null || cursor === undefined) return { moment: "infinity", id: 0 };
  const [, , milliseconds, id] = decoded(cursor);
  return { moment: milliseconds === null ? "-infinity" : new Date(milliseconds).toISOString(), id };
}
