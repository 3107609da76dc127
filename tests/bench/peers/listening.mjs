// What tests/bench/process.py waits for: the port, as the only line of standard output. SIGTERM ends the process.
export function announce(port) {
  process.on("SIGTERM", () => process.exit(0));
  process.stdout.write(`${port}\n`);
}
