// Checks a schema file with graphql-eslint and graphql-schema-linter, and prints their problems as JSON.
// The packages are loaded from the folder SCHEMA_PACKAGES.

import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { resolve } from "node:path";

const folder = resolve(process.env.SCHEMA_PACKAGES);
const require = createRequire(resolve(folder, "schema.js"));
const { ESLint } = require("eslint");
const plugin = require("@graphql-eslint/eslint-plugin");
const { buildSchema, isObjectType } = require("graphql");

const file = resolve(process.argv[2]);
const text = readFileSync(file, "utf8");

// A client keeps records of nodes only. Other objects are parts of the one that they are selected on, and have no id.
const types = Object.values(buildSchema(text).getTypeMap()).filter(isObjectType);
const parts = types.filter((type) => !type.getInterfaces().some(({ name }) => name === "Node")).map(({ name }) => name);

const eslint = new ESLint({
  cwd: folder,
  overrideConfigFile: true,
  overrideConfig: [
    {
      files: ["**/*.graphql"],
      languageOptions: { parser: plugin.parser, parserOptions: { graphQLConfig: { schema: file } } },
      plugins: { "@graphql-eslint": plugin },
      rules: {
        ...plugin.configs["flat/schema-recommended"].rules,
        ...plugin.configs["flat/schema-relay"].rules,
        "@graphql-eslint/strict-id-in-types": ["error", { exceptions: { types: parts } }],
        // `nodes` of connections, and payloads of mutations of several records, are lists of nodes.
        "@graphql-eslint/relay-edge-types": ["error", { listTypeCanWrapOnlyEdgeType: false }],
      },
    },
  ],
});
const [linted] = await eslint.lintText(text, { filePath: resolve(folder, "schema.graphql") });
const problems = linted.messages.map(({ ruleId, message, line }) => `${line}: ${ruleId}: ${message}`);

const RULES = [
  "relay-connection-arguments-spec",
  "relay-connection-types-spec",
  "relay-page-info-spec",
  "arguments-have-descriptions",
  "deprecations-have-a-reason",
  "descriptions-are-capitalized",
  "enum-values-have-descriptions",
  "fields-have-descriptions",
  "input-object-values-have-descriptions",
  "types-have-descriptions",
];
const program = resolve(folder, "node_modules/graphql-schema-linter", require("graphql-schema-linter/package.json").bin["graphql-schema-linter"]);
const done = spawnSync(process.execPath, [program, file, "--format", "json", "--rules", RULES.join(",")], { cwd: folder });
const { errors } = JSON.parse(done.stdout.toString());
problems.push(...errors.map(({ location, rule, message }) => `${location.line}: ${rule}: ${message}`));

console.log(JSON.stringify(problems));
