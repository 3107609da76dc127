// Runs the offline client for a test: `URL` and `TOKEN` are in the environment. It prints a line of JSON after the first
// sync, and after each line of its input, when it compares the copy with what the server answers to a fresh sync.

import { createInterface } from "node:readline";
import WebSocket from "ws";
import { OfflineCopy, type Options } from "./offline";

const options: Options = {
  url: process.env.URL!,
  token: () => process.env.TOKEN!,
  webSocketImpl: WebSocket,
};
const print = (line: unknown) => console.log(JSON.stringify(line));
const sorted = (copy: OfflineCopy) => JSON.stringify([...copy.rows.values()].sort((a, b) => (a.id < b.id ? -1 : 1)));

const copy = new OfflineCopy(options);
const started = Date.now();
await copy.sync();
print({ synced: copy.rows.size, seconds: (Date.now() - started) / 1000 });
const following = copy.follow();
following.catch((error) => print({ error: String(error) }));

for await (const _ of createInterface(process.stdin)) {
  const fresh = new OfflineCopy(options);
  await fresh.sync();
  // What was written just before is applied by the subscription within a moment.
  for (let tries = 0; sorted(copy) !== sorted(fresh) && tries < 100; tries += 1) {
    await new Promise((done) => setTimeout(done, 100));
  }
  print({ equal: sorted(copy) === sorted(fresh), rows: copy.rows.size, fresh: fresh.rows.size });
}
await copy.stop();
await following;
print({ done: true });
