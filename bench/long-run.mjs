// Whether a long training run keeps its memory and its number of tensors, and how much of it is waiting for data.
import { parseArgs } from "node:util";
import { numLiveTensors, setNumThreads, torchVersion } from "../dist/torch/index.js";
import { describeMachine, printFacts, printTable, record } from "./support/report.mjs";
import { slope } from "./support/statistics.mjs";
import { trainTiny } from "./support/tiny-run.mjs";

const HELP = "long-run [--steps 2000] [--batch-size 8] [--teacher-steps 10] [--workers 1] [--threads 1] [--record]";
const STEPS_PER_SAMPLE = 100;
const MIB = 2 ** 20;

const { values } = parseArgs({
  options: {
    steps: { type: "string", default: "2000" },
    "batch-size": { type: "string", default: "8" },
    "teacher-steps": { type: "string", default: "10" },
    workers: { type: "string", default: "1" },
    threads: { type: "string", default: "1" },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

async function main() {
  const machine = describeMachine();
  const { record: isRecorded, help: _, ...settings } = values;
  setNumThreads(Number(values.threads));
  const liveTensors = new Set();
  const samples = [];
  let [updateS, dataS] = [0, 0];
  const options = {
    batchSize: Number(values["batch-size"]),
    teacherSteps: Number(values["teacher-steps"]),
    numSteps: Number(values.steps),
    numWorkers: Number(values.workers),
  };
  await trainTiny(options, (event) => {
    liveTensors.add(numLiveTensors());
    updateS += event.updateS;
    dataS += event.dataS;
    if (event.step % STEPS_PER_SAMPLE === 0) {
      samples.push({ step: event.step, rssMib: process.memoryUsage.rss() / MIB, liveTensors: numLiveTensors() });
    }
  });
  // JavaScript's heap finds its size in the first half; a leak would show in the second as well.
  const settled = samples.slice(Math.floor(samples.length / 2)).map(({ rssMib }) => rssMib);
  const slopeMib = settled.length > 1 ? (slope(settled) * 1000) / STEPS_PER_SAMPLE : Number.NaN;
  const result = {
    numSteps: options.numSteps,
    liveTensors: [...liveTensors],
    stepsPerSecond: options.numSteps / (updateS + dataS),
    shareOfWaiting: dataS / (updateS + dataS),
    slopeMibPer1000Steps: slopeMib,
    samples,
  };
  printFacts({ ...machine, torch: torchVersion(), ...settings });
  printTable(
    ["step", "RSS, MiB", "live tensors"],
    samples.map((sample) => [sample.step, sample.rssMib.toFixed(1), sample.liveTensors]),
  );
  printFacts({
    "live tensors after a step": `${result.liveTensors.join(", ")} (${result.liveTensors.length === 1 ? "constant" : "NOT CONSTANT"})`,
    "RSS, second half": `${slopeMib.toFixed(2)} MiB per 1000 steps`,
    "steps per second": result.stepsPerSecond.toFixed(1),
    "share of time waiting for data": `${(100 * result.shareOfWaiting).toFixed(1)} %`,
  });
  if (isRecorded) record("long-run", { machine, torch: torchVersion(), settings, ...result });
}

if (values.help) console.log(HELP);
else await main();
