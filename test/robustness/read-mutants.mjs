// Reads mutants, one after the other, in a process of its own: the worst that can happen is that this process ends.
// Argument: JSON, see `Job` in mutants.mjs. Appends a line to the log before each mutant and one after it.
import { cpSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isUserError } from "../../dist/support/errors.js";
import { setNumThreads } from "../../dist/torch/index.js";
import { TARGETS } from "./mutant-targets.mjs";
import { mutateFile } from "./mutate-file.mjs";
import { randomOf } from "./random.mjs";

const { target, seed, from, to, world, scratch, log } = JSON.parse(process.argv[2]);
/** More than this for one mutant of a small file is no answer to what is in it. */
const MOST_MEMORY_KIB = 1_000_000;

const lines = openSync(log, "a");
const say = (/** @type {object} */ line) => writeSync(lines, `${JSON.stringify(line)}\n`);

setNumThreads(1);
const { read, files } = TARGETS[target];
mkdirSync(scratch, { recursive: true });
cpSync(world, scratch, { recursive: true, verbatimSymlinks: true });

let current = from;
process.on("uncaughtException", (error) => {
  say({ i: current, outcome: "bad", why: `outside of the call: ${error?.stack ?? error}` });
  process.exit(1);
});

for (current = from; current < to; current++) {
  const i = current;
  const random = randomOf(seed, target, i);
  const file = random.pick(files);
  const path = join(scratch, file);
  const original = readFileSync(join(world, file));
  const { bytes, damage } = mutateFile(path, original, random);
  rmSync(path);
  writeFileSync(path, bytes);
  say({ i, file, damage });
  const memory = process.resourceUsage().maxRSS;
  const began = performance.now();
  let outcome = "read";
  let why;
  try {
    await read(scratch);
  } catch (error) {
    const isNamed = isUserError(error) && !error.message.startsWith("internal:") && error.message.includes(scratch);
    outcome = isNamed ? "refused" : "bad";
    const text = String(isUserError(error) ? `${error.name}: ${error.message}` : (error?.stack ?? error));
    why = isNamed ? undefined : text.slice(0, 2000);
  }
  await new Promise((done) => setImmediate(done)); // what was rejected and awaited by nobody is told now
  const grownKib = process.resourceUsage().maxRSS - memory;
  if (grownKib > MOST_MEMORY_KIB)
    [outcome, why] = ["bad", `took ${Math.round(grownKib / 1024)} MiB. ${why ?? outcome}`];
  say({ i, outcome, why, seconds: (performance.now() - began) / 1000 });
  rmSync(path);
  writeFileSync(path, original);
  if (target === "training state")
    cpSync(join(world, "run"), join(scratch, "run"), { recursive: true, verbatimSymlinks: true, force: true });
}
rmSync(scratch, { recursive: true, force: true });
process.exit(0);
