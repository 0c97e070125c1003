// What every benchmark says about the machine, and where records go.
import { mkdirSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, loadavg, totalmem } from "node:os";
import { join } from "node:path";
import { formatTable } from "../../dist/cli/table.js";

export const GIB = 2 ** 30;
const RESULTS = join(import.meta.dirname, "..", "results");

/** Call it before measuring: the load average tells whether the machine was quiet. */
export const describeMachine = () => ({
  date: new Date().toISOString().slice(0, 10),
  cpu: cpus()[0]?.model.trim(),
  cores: availableParallelism(),
  memoryGib: Math.round(totalmem() / GIB),
  platform: `${process.platform} ${process.arch}`,
  loadBefore: Number(loadavg()[0].toFixed(2)),
  node: process.versions.node,
});

/** @param {Record<string, unknown>} facts one line each */
export function printFacts(facts) {
  console.log(`${formatTable(Object.entries(facts).map(([name, value]) => [name, String(value)]))}\n`);
}

/**
 * @param {readonly string[]} header
 * @param {readonly (readonly (string | number)[])[]} rows
 */
export function printTable(header, rows) {
  const text = rows.map((row) => row.map(String));
  console.log(`${formatTable(text, { header, align: header.map((_, i) => (i === 0 ? "left" : "right")) })}\n`);
}

/** Writes `results/<name>-<date>.json`. */
export function record(name, result) {
  mkdirSync(RESULTS, { recursive: true });
  const path = join(RESULTS, `${name}-${result.machine.date}.json`);
  writeFileSync(path, `${JSON.stringify(result, null, 2)}\n`);
  console.log(`recorded in ${path}`);
}
