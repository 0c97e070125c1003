// Damaged files, command lines and calls of the bridge by the thousand: a value or one error each, never a crash.
import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs, promisify } from "node:util";
import { declaredSchemas, torchVersion } from "../dist/torch/index.js";
import { TARGETS } from "../test/robustness/mutant-targets.mjs";
import { COMMAND_LINES, makeWorld, readMutants } from "../test/robustness/mutants.mjs";
import { describeMachine, printFacts, printTable, record } from "./support/report.mjs";

const HELP = `mutants [--mutants 10000] [--bridge-calls 100000] [--seed 1] [--only "mp4,parquet"] [--first 0] [--record]

Every kind gets the same number. A failure names its seed, kind and number: --seed, --only and --first with --mutants 1 show it
again. Readers may take 4 GB of data and 30 s for one mutant.`;

const { values } = parseArgs({
  options: {
    mutants: { type: "string", default: "10000" },
    "bridge-calls": { type: "string", default: "100000" },
    seed: { type: "string", default: "1" },
    first: { type: "string", default: "0" },
    only: { type: "string" },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** Calls of the bare bridge: operators, shapes, types and freed tensors at random. */
async function callBridge(/** @type {number} */ count, /** @type {number} */ seed, /** @type {string} */ root) {
  const project = join(import.meta.dirname, "..");
  const { addon } = JSON.parse(readFileSync(join(project, "build", "bridge.json"), "utf8"));
  const names = declaredSchemas().map((schema) => schema.split("(")[0]);
  const log = join(root, "calls");
  const script = join(project, "test", "memory", "call-at-random.mjs");
  const args = ["-c", 'ulimit -c 0; ulimit -d 4000000; exec "$@"', "sh", process.execPath, script, addon, log];
  try {
    const { stdout } = await promisify(execFile)("sh", [...args, String(seed), String(count), ...names], {
      maxBuffer: 2 ** 26,
      env: { ...process.env, OMP_NUM_THREADS: "1" },
    });
    const { values: read, errors: refused } = JSON.parse(stdout.trim().split("\n").at(-1));
    return { target: "bridge calls", tried: read + refused, read, refused, failures: [] };
  } catch (error) {
    const last = readFileSync(log, "utf8").trim().split("\n");
    const failure = `seed ${seed}, bridge: the process ended at call ${last.length}: ${last.at(-1)}\n${error.stderr ?? error}`;
    return { target: "bridge calls", tried: last.length, read: 0, refused: 0, failures: [failure] };
  }
}

async function main() {
  const machine = describeMachine();
  const root = mkdtempSync(join(tmpdir(), "reflow-bench-mutants-"));
  const world = join(root, "world");
  const began = performance.now();
  const [seed, first] = [Number(values.seed), Number(values.first)];
  try {
    await makeWorld(world);
    const targets = values.only?.split(",") ?? [...Object.keys(TARGETS), COMMAND_LINES];
    const count = Math.ceil(Number(values.mutants) / targets.length);
    const rows = [];
    for (const target of targets) {
      const row = await readMutants(target, { count, first, seed, world, root });
      rows.push(row);
      process.stderr.write(`${target}: ${row.tried} mutants, ${row.failures.length} failures\n`);
    }
    if (values.only === undefined) rows.push(await callBridge(Number(values["bridge-calls"]), seed, root));
    printFacts({ ...machine, torch: torchVersion(), seed });
    printTable(
      ["kind", "tried", "no error", "refused with its place", "failures"],
      rows.map(({ target, tried, read, refused, failures }) => [target, tried, read, refused, failures.length]),
    );
    const failures = rows.flatMap((row) => row.failures);
    for (const failure of failures) console.log(`FAILED: ${failure}\n`);
    if (failures.length > 0) process.exitCode = 1;
    const minutes = (performance.now() - began) / 60_000;
    printFacts({ failures: failures.length, minutes: minutes.toFixed(1) });
    if (values.record) record("mutants", { machine, torch: torchVersion(), seed, minutes, rows });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

if (values.help) console.log(HELP);
else await main();
