// Every fault that is listed in docs/guide/doctor.md, injected: who names it alone. And good runs and policies: who cries wolf.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { torchVersion } from "../dist/torch/index.js";
import { describeMachine, printFacts, printTable, record } from "./support/report.mjs";

const HELP = `faults [--record]

Runs the tests in test/faults and counts: each fault of the page on the doctor is built and must be named as the page says, with
nothing else; each good run or policy must raise no alarm. Takes about five minutes.`;

const { values } = parseArgs({
  options: { record: { type: "boolean", default: false }, help: { type: "boolean", default: false } },
});

const PROJECT = join(import.meta.dirname, "..");

/** The page's table of faults, which a test holds equal to those that are injected. */
function listedFaults() {
  const page = readFileSync(join(PROJECT, "docs", "guide", "doctor.md"), "utf8");
  const [, table] = /\| fault \| who \| names it \|\n\|[-|]+\n((?:\|.*\|\n)+)/.exec(page) ?? [];
  if (table === undefined) throw new Error("docs/guide/doctor.md: expected a table of faults, got none");
  return table
    .trim()
    .split("\n")
    .map((row) => {
      const [fault, who] = row
        .split("|")
        .slice(1)
        .map((cell) => cell.trim());
      return { fault, who };
    });
}

/** Titles of all tests that inject faults or have good runs, with whether they passed. */
function runTests() {
  const folder = mkdtempSync(join(tmpdir(), "reflow-bench-faults-"));
  try {
    const report = join(folder, "report.json");
    const { error } = spawnSync(
      process.execPath,
      [
        ...[join(PROJECT, "node_modules", "vitest", "vitest.mjs"), "run", "test/faults"],
        ...["--reporter=default", "--reporter=json", `--outputFile.json=${report}`],
      ],
      { cwd: PROJECT, stdio: ["ignore", 2, 2], env: { OMP_NUM_THREADS: "1", ...process.env } },
    );
    if (error) throw error;
    const { testResults } = JSON.parse(readFileSync(report, "utf8"));
    return testResults.flatMap(({ name, assertionResults }) =>
      assertionResults.map(({ title, fullName, status }) => ({
        file: name.split("/").at(-1),
        title,
        fullName,
        isPassed: status === "passed",
      })),
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Files of tests that build no fault of the page and no good run. */
const OTHER_FILES = ["command.test.ts", "judgements.test.ts", "known-script.test.ts", "table.test.ts"];

function main() {
  const machine = describeMachine();
  const began = performance.now();
  const tests = runTests().filter(({ file }) => !OTHER_FILES.includes(file));
  const faults = listedFaults().map(({ fault, who }) => {
    const test = tests.find(({ title }) => title === fault || title.endsWith(`: ${fault}`));
    return { fault, who, test, isNamed: test?.isPassed ?? false };
  });
  const injected = new Set(faults.map(({ test }) => test));
  const good = tests.filter((test) => !injected.has(test));
  const alarms = good.filter(({ isPassed }) => !isPassed).map(({ fullName }) => fullName);
  const rows = ["gate", "health", "doctor"].map((by) => {
    const own = faults.filter(({ who }) => who === by);
    return { by, injected: own.length, named: own.filter(({ isNamed }) => isNamed).length };
  });
  const notNamed = faults.filter(({ isNamed }) => !isNamed).map(({ fault }) => fault);
  const totals = {
    injected: faults.length,
    named: faults.length - notNamed.length,
    goodRuns: good.length,
    falseAlarms: alarms.length,
  };
  printFacts({ ...machine, torch: torchVersion() });
  printTable(
    ["named by", "injected", "named alone"],
    rows.map(({ by, injected, named }) => [by, injected, named]),
  );
  const minutes = (performance.now() - began) / 60_000;
  printFacts({ ...totals, minutes: minutes.toFixed(1) });
  for (const fault of notNamed) console.log(`NOT NAMED: ${fault}`);
  for (const name of alarms) console.log(`FALSE ALARM: ${name}`);
  if (notNamed.length + alarms.length > 0 || good.length === 0) process.exitCode = 1;
  if (values.record)
    record("faults", {
      ...{ machine, torch: torchVersion(), minutes, totals, rows, notNamed, alarms },
      good: good.map(({ fullName }) => fullName),
    });
}

if (values.help) console.log(HELP);
else main();
