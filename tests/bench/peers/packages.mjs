// The packages that tests/bench/node.py installed, which are in none of the folders above this one.
import { createRequire } from "node:module";

export const load = createRequire(`${process.env.BENCH_PACKAGES}/`);
