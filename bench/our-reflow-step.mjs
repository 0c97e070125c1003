// The counterpart of `python/reflow_step.py` with our classes: the same lines on standard input and output.
//
//   our-reflow-step.mjs --policy DIR [--device cpu|cuda] [--precision fp32|bf16] [--batch-size 2] [--teacher-steps 10]
//                       [--threads 2] [--language-tokens 16]
//
// A step is one turn of the real training loop on a fixed batch, from uint8 images on.
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { toModelInput } from "../dist/policy/model-input.js";
import { peakMemoryBytes, setNumThreads, torchVersion } from "../dist/torch/index.js";
import { trainingLoop } from "../dist/train/loop.js";
import { MAX_GRAD_NORM, prepareRealGeometry } from "./support/real-geometry.mjs";

const { values } = parseArgs({
  options: {
    policy: { type: "string" },
    device: { type: "string", default: "cpu" },
    precision: { type: "string", default: "fp32" },
    "batch-size": { type: "string", default: "2" },
    "teacher-steps": { type: "string", default: "10" },
    threads: { type: "string", default: "2" },
    "language-tokens": { type: "string", default: "16" },
  },
});
const device = values.device === "cuda" ? "cuda:0" : values.device;
const countNumbers = (tensors) => tensors.reduce((sum, tensor) => sum + tensor.numElements, 0);

function emit(event, fields) {
  const deviceBytes = peakMemoryBytes(device);
  const line = {
    event,
    ...fields,
    seconds_since_process_start: performance.now() / 1000,
    rss_bytes: process.memoryUsage.rss(),
    peak_rss_bytes: process.resourceUsage().maxRSS * 1024,
    ...(deviceBytes === undefined ? {} : { peak_device_bytes: deviceBytes }),
  };
  process.stdout.write(`${JSON.stringify(line)}\n`);
}

setNumThreads(Number(values.threads));
const run = await prepareRealGeometry({
  folder: values.policy,
  device,
  precision: values.precision === "bf16" ? "bf16" : "fp32",
  batchSize: Number(values["batch-size"]),
  teacherSteps: Number(values["teacher-steps"]),
  numTokens: Number(values["language-tokens"]),
});
emit("ready", {
  num_parameters: run.student.numParameters,
  num_trainable: countNumbers(run.parameters),
  torch: torchVersion(),
});

const commands = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const batches = {
  /** The loop asks for its next batch when a step has been asked of it. */
  next: async () => {
    const { value: command } = await commands.next();
    if (command !== "step") process.exit(command === undefined || command === "quit" ? 0 : 1);
    return run.batch;
  },
  close: async () => {},
};
const events = trainingLoop({
  objective: run.objective,
  parameters: run.parameters,
  optimizer: run.optimizer,
  schedule: () => 1e-4,
  maxGradNorm: MAX_GRAD_NORM,
  batches,
  batchesPerStep: 1,
  toDevice: ({ arrays, tasks }, number, step) => ({
    input: toModelInput(arrays, run.policy.config, device),
    arrays,
    tasks,
    number,
    step,
  }),
  device,
  seed: 0,
  firstStep: 0,
  numSteps: Number.MAX_SAFE_INTEGER,
  checkpoints: undefined,
});
for await (const event of events) {
  if (event.kind === "step") emit("step", { seconds: event.updateS, loss: event.loss });
}
