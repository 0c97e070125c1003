// One reflow step at the real geometry: our classes beside those of stock LeRobot, step by step in turns.
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { PYTHON_STEP, policyFolder, pythonEnv } from "./support/policy-folder.mjs";
import { describeMachine, GIB, printFacts, printTable, record } from "./support/report.mjs";
import { median, summary } from "./support/statistics.mjs";
import { StepProcess } from "./support/step-process.mjs";

const HELP = `reflow-step [--device cpu|cuda] [--pairs 5] [--batch-size 2] [--teacher-steps 10] [--threads 2] [--record]

One step: images of two 480 x 640 cameras (ours from uint8, stock from float32) -> resize -> prefix -> the teacher's Euler
steps -> the student's loss -> backward -> clip at 10 -> AdamW. On the CPU in float32; with --device cuda in float32 and
again in the mixture of types that stock LeRobot runs (ours: bf16).`;

/** Ours over stock: what we want to stay below. */
const TARGETS = { seconds: 1 / 1.7, peakBytes: 0.65, firstStepSeconds: 0.4 };

const { values } = parseArgs({
  options: {
    device: { type: "string", default: "cpu" },
    pairs: { type: "string", default: "5" },
    "batch-size": { type: "string", default: "2" },
    "teacher-steps": { type: "string", default: "10" },
    threads: { type: "string", default: "2" },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** How to start each side on the same folder. */
function programs({ python, env }, folder, dtype) {
  const settings = ["device", "batch-size", "teacher-steps", "threads"].flatMap((name) => [`--${name}`, values[name]]);
  const precision = dtype === "native" ? "bf16" : "fp32";
  const ours = [join(import.meta.dirname, "our-reflow-step.mjs"), "--policy", folder, "--precision", precision];
  const stock = [PYTHON_STEP, "--policy", folder, "--dtype", dtype];
  return {
    ours: () => new StepProcess(process.execPath, [...ours, ...settings], process.env),
    stock: () => new StepProcess(python, [...stock, ...settings], env),
  };
}

/** Starts one side after the other, each with its first step; then steps in turns. */
async function measure(python, dtype) {
  const start = programs(python, await policyFolder(dtype), dtype);
  const names = Object.keys(start);
  const running = {};
  try {
    const starts = {};
    for (const name of names) {
      running[name] = start[name]();
      starts[name] = await running[name].start();
    }
    const steps = Object.fromEntries(names.map((name) => [name, []]));
    for (let pair = 0; pair < Number(values.pairs); pair++) {
      for (const name of names) steps[name].push(await running[name].step());
    }
    for (const name of names) await running[name].stop();
    return Object.fromEntries(names.map((name) => [name, sideOf(starts[name], steps[name])]));
  } catch (error) {
    for (const side of Object.values(running)) side.kill();
    throw error;
  }
}

function sideOf({ ready, first, readySeconds, firstStepSeconds }, steps) {
  const peak = (key) => Math.max(...[first, ...steps].map((step) => step[key]));
  const hasDeviceMemory = first.peak_device_bytes !== undefined;
  const knowsProcessorTime = first.processorSeconds !== undefined;
  return {
    numParameters: ready.num_parameters,
    numTrainable: ready.num_trainable,
    stepSeconds: steps.map((step) => step.seconds),
    seconds: summary(steps.map((step) => step.seconds)),
    processorSeconds: knowsProcessorTime ? median(steps.map((step) => step.processorSeconds)) : undefined,
    peakBytes: peak(hasDeviceMemory ? "peak_device_bytes" : "peak_rss_bytes"),
    peakHostBytes: peak("peak_rss_bytes"),
    readySeconds,
    firstStepSeconds,
  };
}

function report(title, { ours, stock }) {
  const text = (value, digits = 2) => (value === undefined ? "-" : value.toFixed(digits));
  const row = (label, of, target) => {
    const [a, b] = [of(ours), of(stock)];
    const ratio = a === undefined || b === undefined ? undefined : a / b;
    const verdict = target === undefined ? "" : `<= ${text(target)} ${ratio <= target ? "met" : "MISSED"}`;
    return [label, text(a), text(b), text(ratio), verdict];
  };
  printTable(
    [title, "ours", "stock", "ours / stock", "target"],
    [
      row("step, median s", (side) => side.seconds.median, TARGETS.seconds),
      row("step, min s", (side) => side.seconds.min),
      row("step, max s", (side) => side.seconds.max),
      row("step, median processor s", (side) => side.processorSeconds),
      row("peak memory, GiB", (side) => side.peakBytes / GIB, TARGETS.peakBytes),
      row("start to ready, s", (side) => side.readySeconds),
      row("start to first step done, s", (side) => side.firstStepSeconds, TARGETS.firstStepSeconds),
    ],
  );
}

const VERSIONS = `
import json, platform, lerobot, torch, transformers
packages = dict(torch=torch, transformers=transformers, lerobot=lerobot)
print(json.dumps(dict(python=platform.python_version()) | {name: p.__version__ for name, p in packages.items()}))
`;

async function main() {
  const machine = describeMachine();
  const python = await pythonEnv();
  const stock = JSON.parse(spawnSync(python.python, ["-c", VERSIONS], { env: python.env, encoding: "utf8" }).stdout);
  const { record: isRecorded, help: _, ...settings } = values;
  printFacts(machine);
  printFacts(stock);
  printFacts(settings);

  const measured = {};
  for (const dtype of values.device === "cuda" ? ["fp32", "native"] : ["fp32"]) {
    measured[dtype] = await measure(python, dtype);
    report(dtype, measured[dtype]);
  }
  if (isRecorded) {
    record(`reflow-step-${values.device}`, { machine, stock, settings, targets: TARGETS, measured });
  }
}

if (values.help) console.log(HELP);
else await main();
