// Runs the audits of the npm package `graphql-http` against a URL, and prints their results as JSON.
// The package is loaded from the folder AUDIT_PACKAGES; TOKEN is sent with every request.

import { createRequire } from "node:module";
import { resolve } from "node:path";

const require = createRequire(resolve(process.env.AUDIT_PACKAGES, "audit.js"));
const { auditServer } = require("graphql-http");

const fetchFn = (url, { headers, ...init } = {}) =>
  fetch(url, { ...init, headers: { ...headers, authorization: `Bearer ${process.env.TOKEN}` } });

const results = await auditServer({ url: process.argv[2], fetchFn });
console.log(JSON.stringify(results.map(({ id, name, status, reason }) => ({ id, name, status, reason }))));
