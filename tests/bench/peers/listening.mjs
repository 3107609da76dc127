// Prints the port as the only line of standard output, for tests/bench/process.py. SIGTERM ends the process.
export function announce(port) {
  process.on("SIGTERM", () => process.exit(0));
  process.stdout.write(`${port}\n`);
}
