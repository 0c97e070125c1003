// Where the time of one reflow step at the real geometry goes.
import { parseArgs } from "node:util";
import { clipGradients } from "../dist/optim/index.js";
import { toModelInput } from "../dist/policy/model-input.js";
import { backward, Generator, numLiveTensors, scope, setNumThreads, torchVersion } from "../dist/torch/index.js";
import { native } from "../dist/torch/native.js";
import { policyFolder } from "./support/policy-folder.mjs";
import { MAX_GRAD_NORM, prepareRealGeometry } from "./support/real-geometry.mjs";
import { describeMachine, GIB, printFacts, printTable, record } from "./support/report.mjs";
import { SectionClock } from "./support/section-clock.mjs";
import { median } from "./support/statistics.mjs";

const HELP = `profile-step [--steps 3] [--batch-size 2] [--teacher-steps 10] [--threads 2] [--operators 20] [--processor-time] [--record]

--processor-time measures processor time in place of elapsed time: with --threads 1 it hardly depends on what else runs.`;

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "3" },
    "batch-size": { type: "string", default: "2" },
    "teacher-steps": { type: "string", default: "10" },
    threads: { type: "string", default: "2" },
    operators: { type: "string", default: "20" },
    "processor-time": { type: "boolean", default: false },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

function processorMs() {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** The step of the training loop, each of its parts in a section. */
function timedStep(clock, { policy, student, objective, parameters, optimizer, batch }) {
  const { vlm, expert } = policy.model;
  clock.watch(vlm.vision, "forward", "vision tower");
  clock.watch(vlm.connector, "forward", "connector");
  clock.watch(vlm, "encodeContext", "text tower, images and language");
  clock.watch(vlm, "encodeState", "text tower, state rows");
  clock.watch(expert, "attach", "teacher, cross keys and values");
  clock.watch(expert, "velocity", "teacher, Euler steps");
  clock.watch(student.expert, "attach", "student, cross keys and values");
  clock.watch(student.expert, "velocity", "student, forward");
  const encode = clock.timed("images: upload, resize", () => toModelInput(batch.arrays, policy.config, "cpu"));
  const lossOf = clock.timed("interpolation, loss", (...args) => objective.loss(...args));
  const backpropagate = clock.timed("backward", backward);
  const clip = clock.timed("clip", (gradients) => clipGradients(gradients, MAX_GRAD_NORM).item());
  const update = clock.timed("optimizer", (gradients) => optimizer.step(gradients, 1e-4));
  const generator = new Generator(0);
  return clock.timed("rest", () =>
    scope(() => {
      const { loss } = lossOf({ input: encode(), ...batch, number: 0, step: 0 }, generator);
      backpropagate(loss);
      const gradients = parameters.map((parameter) => parameter.grad);
      for (const parameter of parameters) parameter.grad = undefined;
      clip(gradients);
      update(gradients);
      return loss.item();
    }),
  );
}

async function main() {
  const machine = describeMachine();
  const { record: isRecorded, help: _, ...settings } = values;
  const clock = new SectionClock(values["processor-time"] ? processorMs : () => performance.now());
  clock.watchOperators(native);
  setNumThreads(Number(values.threads));
  const run = await prepareRealGeometry({
    folder: await policyFolder("fp32"),
    device: "cpu",
    precision: "fp32",
    batchSize: Number(values["batch-size"]),
    teacherSteps: Number(values["teacher-steps"]),
    numTokens: 16,
  });
  const step = timedStep(clock, run);
  step(); // warm-up
  const rounds = [];
  const before = process.resourceUsage();
  for (let i = 0; i < Number(values.steps); i++) {
    clock.reset();
    step();
    rounds.push({ sections: new Map(clock.sections), operators: new Map(clock.operators) });
  }
  const after = process.resourceUsage();

  const sections = [...rounds[0].sections.keys()]
    .map((name) => ({ name, ms: median(rounds.map((round) => round.sections.get(name))) }))
    .sort((a, b) => b.ms - a.ms);
  const total = sections.reduce((sum, { ms }) => sum + ms, 0);
  const operators = [...rounds[0].operators.entries()]
    .map(([key, entry]) => ({ ...entry, ms: median(rounds.map((round) => round.operators.get(key).ms)) }))
    .sort((a, b) => b.ms - a.ms);
  const numCalls = operators.reduce((sum, { calls }) => sum + calls, 0);
  const pageFaults = Math.round((after.minorPageFault - before.minorPageFault) / rounds.length);
  const peakBytes = after.maxRSS * 1024;

  printFacts({ ...machine, torch: torchVersion(), ...settings });
  const share = (ms) => `${((100 * ms) / total).toFixed(1)} %`;
  printTable(
    ["section", "ms", "share"],
    [...sections, { name: "all", ms: total }].map(({ name, ms }) => [name, ms.toFixed(1), share(ms)]),
  );
  printTable(
    ["operator", "section", "calls", "ms", "share"],
    operators
      .slice(0, Number(values.operators))
      .map(({ operator, section, calls, ms }) => [operator, section, calls, ms.toFixed(1), share(ms)]),
  );
  printFacts({
    "operator calls a step": numCalls,
    "page faults a step": pageFaults,
    "peak memory, GiB": (peakBytes / GIB).toFixed(2),
    "live tensors": numLiveTensors(),
  });
  if (isRecorded) {
    const result = { machine, torch: torchVersion(), settings, totalMs: total, sections, operators };
    record("profile-step", { ...result, numCalls, pageFaults, peakBytes });
  }
}

if (values.help) console.log(HELP);
else await main();
