// Imports packages that tests/bench/node.py installed in another folder.
import { createRequire } from "node:module";

export const load = createRequire(`${process.env.BENCH_PACKAGES}/`);
