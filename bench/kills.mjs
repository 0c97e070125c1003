// Kills and failing disks by the hundred: what is saved stays whole, the same command goes on, the end is that of an unbroken run.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { torchVersion } from "../dist/torch/index.js";
import { failCommand } from "../test/robustness/faults.mjs";
import { killCommand } from "../test/robustness/kill.mjs";
import { killedCommands } from "../test/robustness/killed-commands.mjs";
import { describeMachine, printFacts, printTable, record } from "./support/report.mjs";

const HELP = `kills [--kills 200] [--faults 100] [--seed 1] [--only "reflow,pairs"] [--record]

Kills are SIGKILL at moments that are uniform over a run's time, or at a call that changes a file: before it, after half of it,
after it. A run that was killed goes on and is killed again, up to five times, and then goes to its end.
Faults are a disk that is full from one call on, or one call that fails with EIO. Both are shared out among the commands, half of
the kills to training.`;

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "200" },
    faults: { type: "string", default: "100" },
    seed: { type: "string", default: "1" },
    only: { type: "string" },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** How many of all kills and faults a command gets, in shares. */
const SHARES = { reflow: 6, "reflow with ema": 2, "flow matching": 3 };
const shareOf = (/** @type {string} */ name) => SHARES[name] ?? (name === "pipeline" ? 2 : 1.5);

/** @param {readonly { readonly name: string }[]} commands @param {number} total */
function shared(commands, total) {
  const sum = commands.reduce((shares, { name }) => shares + shareOf(name), 0);
  return new Map(commands.map(({ name }) => [name, Math.ceil((total * shareOf(name)) / sum)]));
}

async function main() {
  const machine = describeMachine();
  const root = mkdtempSync(join(tmpdir(), "reflow-bench-kills-"));
  const began = performance.now();
  const log = (/** @type {string} */ text) => process.stderr.write(`${text}\n`);
  try {
    const commands = await killedCommands(root, values.only?.split(","));
    const [numKills, numFaults] = [Number(values.kills), Number(values.faults)].map((total) => shared(commands, total));
    const options = { seed: Number(values.seed), root, log };
    const kills = [];
    const faults = [];
    for (const command of commands) {
      kills.push(await killCommand(command, { ...options, kills: numKills.get(command.name) }));
      faults.push(await failCommand(command, { ...options, faults: numFaults.get(command.name) }));
    }
    const sum = (/** @type {readonly any[]} */ rows, /** @type {string} */ key) =>
      rows.reduce((n, row) => n + row[key], 0);
    printFacts({ ...machine, torch: torchVersion(), seed: values.seed });
    printTable(
      ["command", "kills", "survived", "while writing", "whole runs", "faults", "named", "endured"],
      commands.map(({ name }, i) => [
        name,
        ...[kills[i].tried, kills[i].survived, kills[i].atCalls, kills[i].runs],
        ...[faults[i].injected, faults[i].named, faults[i].endured],
      ]),
    );
    const failures = [...kills, ...faults].flatMap((row) => row.failures);
    const totals = {
      kills: sum(kills, "tried"),
      survived: sum(kills, "survived"),
      faults: sum(faults, "injected"),
      named: sum(faults, "named"),
      endured: sum(faults, "endured"),
      failures: failures.length,
      minutes: (performance.now() - began) / 60_000,
    };
    printFacts({ ...totals, minutes: totals.minutes.toFixed(1) });
    for (const failure of failures) console.log(`FAILED: ${failure}\n`);
    if (failures.length > 0) process.exitCode = 1;
    if (values.record)
      record("kills", { machine, torch: torchVersion(), seed: Number(values.seed), totals, kills, faults });
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

if (values.help) console.log(HELP);
else await main();
