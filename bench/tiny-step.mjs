// Milliseconds of one reflow step of the tiny fixture, with one and two threads, and the bridge's own share of them.
import { parseArgs } from "node:util";
import { setNumThreads, torchVersion } from "../dist/torch/index.js";
import { native } from "../dist/torch/native.js";
import { describeMachine, printFacts, printTable, record } from "./support/report.mjs";
import { SectionClock } from "./support/section-clock.mjs";
import { summary } from "./support/statistics.mjs";
import { trainTiny } from "./support/tiny-run.mjs";

const HELP = `tiny-step [--batch-size 32] [--steps 40] [--rounds 3] [--record]

"outside operators" is the share of a step spent in JavaScript, in freeing tensors and in backward, clip's and the
optimizer's JavaScript: what remains after the time inside the bridge's operator calls and backward passes.`;

const WARM_UP_STEPS = 5;
const { values } = parseArgs({
  options: {
    "batch-size": { type: "string", default: "32" },
    steps: { type: "string", default: "40" },
    rounds: { type: "string", default: "3" },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function measure(teacherSteps, threads, clock) {
  setNumThreads(threads);
  const numSteps = Number(values.steps) + WARM_UP_STEPS;
  const milliseconds = [];
  const inNative = { calls: 0, ms: 0 };
  clock.reset();
  const options = { batchSize: Number(values["batch-size"]), teacherSteps, numSteps, numWorkers: 1 };
  await trainTiny(options, ({ step, updateS, batchSize }) => {
    // The last batch of an epoch is a smaller one.
    if (step > WARM_UP_STEPS && batchSize === options.batchSize) {
      milliseconds.push(updateS * 1000);
      for (const { calls, ms } of clock.operators.values()) {
        inNative.calls += calls;
        inNative.ms += ms;
      }
      inNative.ms += clock.sections.get("backward") ?? 0;
    }
    clock.reset();
  });
  return { milliseconds, inNative };
}

async function main() {
  const machine = describeMachine();
  const clock = new SectionClock(() => performance.now());
  clock.watchOperators(native);
  clock.watch(native, "backward", "backward");
  const cases = [10, 20].flatMap((teacherSteps) => [1, 2].map((threads) => ({ teacherSteps, threads, runs: [] })));
  for (let round = 0; round < Number(values.rounds); round++) {
    for (const entry of cases) entry.runs.push(await measure(entry.teacherSteps, entry.threads, clock));
  }
  const results = cases.map(({ teacherSteps, threads, runs }) => {
    const all = runs.flatMap((run) => run.milliseconds);
    const total = all.reduce((sum, ms) => sum + ms, 0);
    const native = runs.reduce((sum, run) => sum + run.inNative.ms, 0);
    const calls = runs.reduce((sum, run) => sum + run.inNative.calls, 0) / all.length;
    return { teacherSteps, threads, ms: summary(all), calls, shareOutside: 1 - native / total };
  });
  printFacts({ ...machine, torch: torchVersion(), "batch size": values["batch-size"] });
  printTable(
    ["teacher steps", "threads", "median ms", "min ms", "max ms", "operator calls", "outside operators"],
    results.map(({ teacherSteps, threads, ms, calls, shareOutside }) => [
      teacherSteps,
      threads,
      ms.median.toFixed(1),
      ms.min.toFixed(1),
      ms.max.toFixed(1),
      Math.round(calls),
      `${(100 * shareOutside).toFixed(0)} %`,
    ]),
  );
  if (values.record) record("tiny-step", { machine, torch: torchVersion(), batchSize: values["batch-size"], results });
}

if (values.help) console.log(HELP);
else await main();
