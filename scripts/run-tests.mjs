// Runs everything that must hold: types, lint, format, tests. Arguments go to vitest (`npm test -- src/flow`).
// The last line of its output is `N passed, N failed`; types, lint and format count as one test each.
import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { projectRoot } from "./build-bridge.mjs";

/** Runs a tool of this project, its output passed on; true if it ended well. */
function run(packageFile, args) {
  const { status, error } = spawnSync(process.execPath, [join(projectRoot, "node_modules", packageFile), ...args], {
    cwd: projectRoot,
    stdio: "inherit",
    // Test files run side by side; threads of one that wait for cores held by another cost far more than they gain.
    env: { OMP_NUM_THREADS: "1", ...process.env },
  });
  if (error) console.error(`${packageFile} cannot be started: ${error.message}`);
  return status === 0;
}

/**
 * What vitest's report says. A file that cannot be loaded has no tests in the report: it counts as one that failed.
 * @returns {{ passed: number, failed: number, skipped: number } | undefined} undefined without a report
 */
function countTests(reportPath) {
  let report;
  try {
    report = JSON.parse(readFileSync(reportPath, "utf8"));
  } catch {
    return undefined;
  }
  const broken = report.testResults.filter(
    ({ status, assertionResults }) => status === "failed" && !assertionResults.some((test) => test.status === "failed"),
  );
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + broken.length,
    skipped: report.numPendingTests + (report.numTodoTests ?? 0),
  };
}

function runVitest(args) {
  const folder = mkdtempSync(join(tmpdir(), "reflow-tests-"));
  try {
    const report = join(folder, "report.json");
    const reporters = ["--reporter=default", "--reporter=json", `--outputFile.json=${report}`];
    const ended = run("vitest/vitest.mjs", ["run", ...reporters, ...args]);
    const counts = countTests(report) ?? { passed: 0, failed: 0, skipped: 0 };
    // An error outside of any test, or no tests at all, is a failure too.
    return !ended && counts.failed === 0 ? { ...counts, failed: 1 } : counts;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

// All tests need the Python that stock LeRobot runs in: made meanwhile, as much of it is waiting. Whether it can be, they say.
if (process.argv.length === 2) {
  spawn(process.execPath, [join(projectRoot, "test", "interop", "python-env.mjs")], { stdio: "ignore" });
}
const checks = [
  ["types", () => run("typescript/bin/tsc", ["--noEmit", "-p", "tsconfig.json"])],
  ["page", () => run("typescript/bin/tsc", ["--noEmit", "-p", "page/tsconfig.json"])],
  ["lint", () => run("@biomejs/biome/bin/biome", ["check", "--formatter-enabled=false", "--error-on-warnings", "."])],
  ["format", () => run("@biomejs/biome/bin/biome", ["format", "."])],
].map(([name, check]) => ({ name, isPassed: check() }));
const tests = runVitest(process.argv.slice(2));

const numPassedChecks = checks.filter(({ isPassed }) => isPassed).length;
const failed = tests.failed + checks.length - numPassedChecks;
console.log();
for (const { name, isPassed } of checks) console.log(`${name.padEnd(8)}${isPassed ? "passed" : "FAILED"}`);
const skipped = tests.skipped > 0 ? `, ${tests.skipped} skipped` : "";
console.log(`${"tests".padEnd(8)}${tests.passed} passed, ${tests.failed} failed${skipped}`);
console.log(`\n${numPassedChecks + tests.passed} passed, ${failed} failed`);
process.exitCode = failed === 0 ? 0 : 1;
