// Runs mutated command lines, one after the other, in a process of its own. Argument and log as those of read-mutants.mjs.
import { cpSync, mkdirSync, openSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { COMMANDS } from "../../dist/cli/all-commands.js";
import { runCommandLine } from "../../dist/cli/command-line.js";
import { setNumThreads } from "../../dist/torch/index.js";
import { commandLines, mutateCommandLine } from "./mutate-command-line.mjs";
import { randomOf } from "./random.mjs";

const { target, seed, from, to, world, scratch, log } = JSON.parse(process.argv[2]);
const MOST_MEMORY_KIB = 1_000_000;
/** An error is read by a person. */
const MOST_LETTERS = 20_000;

const lines = openSync(log, "a");
const say = (/** @type {object} */ line) => writeSync(lines, `${JSON.stringify(line)}\n`);

let written = "";
const write = (/** @type {unknown} */ text) => {
  written += String(text);
  return true;
};
console.log = () => {};
console.error = (text) => void write(`${text}\n`);
process.stderr.write = write;
process.stdout.write = () => true;

setNumThreads(1);
process.env.HF_HUB_OFFLINE = "1";
process.env.HF_ENDPOINT = "http://127.0.0.1:9";
const renew = () => {
  rmSync(scratch, { recursive: true, force: true });
  mkdirSync(scratch, { recursive: true });
  cpSync(world, scratch, { recursive: true, verbatimSymlinks: true });
  process.chdir(scratch);
};

/**
 * What is wrong with the end of a command, or undefined.
 * @param {number} code @param {readonly string[]} line @param {readonly string[]} base before it was changed
 */
function complaint(code, line, base) {
  if (![0, 1, 2].includes(code)) return `exit code ${code}`;
  if (code === 0) return undefined;
  if (/internal:|\n {4}at /.test(written)) return `no error of ours: ${written.slice(-1500)}`;
  if (written.length > MOST_LETTERS) return `an error of ${written.length} letters: ${written.slice(0, 300)}`;
  const words = [...line, ...base].flatMap((arg) => [arg, ...arg.replace(/^-+/, "").split(/[=.]/)]);
  const names = words.map((word) => (word === "" ? '""' : word.slice(0, 100)));
  const flags = line.map((arg) => `"${arg.split("=")[0]}"`);
  const isNamed = [scratch, ...names, ...flags].some((name) => written.includes(name));
  return isNamed ? undefined : `an error that names nothing: ${written.slice(-600)}`;
}

let current = from;
for (const event of ["uncaughtException", "unhandledRejection"]) {
  process.on(event, (error) => {
    say({ i: current, outcome: "bad", why: `outside of the command: ${error?.stack ?? error}` });
    process.exit(1);
  });
}

for (current = from; current < to; current++) {
  if ((current - from) % 20 === 0) renew();
  const i = current;
  const random = randomOf(seed, target, i);
  const base = random.pick(commandLines(scratch));
  const line = mutateCommandLine(base, random);
  rmSync(join(scratch, "out"), { recursive: true, force: true });
  const shown = line
    .map((arg) => JSON.stringify(arg.length > 80 ? `${arg.slice(0, 80)}... (${arg.length})` : arg))
    .join(" ");
  say({ i, file: line[0], damage: shown });
  const memory = process.resourceUsage().maxRSS;
  written = "";
  let why;
  let code = 0;
  try {
    code = await runCommandLine(line, COMMANDS, {
      version: () => "0",
      write: () => {},
      writeError: (text) => void write(text),
      isDebug: false,
    });
    why = complaint(code, line, base);
  } catch (error) {
    why = `thrown: ${error?.stack ?? error}`;
  }
  await new Promise((done) => setImmediate(done));
  const grownKib = process.resourceUsage().maxRSS - memory;
  if (grownKib > MOST_MEMORY_KIB) why ??= `took ${Math.round(grownKib / 1024)} MiB`;
  say({ i, outcome: why === undefined ? (code === 0 ? "read" : "refused") : "bad", why });
}
process.chdir("/");
rmSync(scratch, { recursive: true, force: true });
process.exit(0);
