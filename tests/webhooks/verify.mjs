// Verifies a webhook with npm's `standardwebhooks`: `node verify.mjs SECRET`, with {"headers": …, "body": …} as input.
//
// The package is taken from the folder PACKAGES. Prints the payload as JSON, or the name of the error.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const require = createRequire(resolve(process.env.PACKAGES, "verify.js"));
const { Webhook } = require("standardwebhooks");
const { headers, body } = JSON.parse(readFileSync(0, "utf8"));

try {
  console.log(JSON.stringify(new Webhook(process.argv[2]).verify(body, headers)));
} catch (error) {
  console.log(JSON.stringify(error.constructor.name));
}
