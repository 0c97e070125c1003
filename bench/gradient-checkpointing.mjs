// What recomputing the expert's layers in the backward pass saves in memory and costs in time, at the real geometry.
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { ActionExpert } from "../dist/smolvla/action-expert.js";
import { parseSmolVLAConfig } from "../dist/smolvla/config.js";
import { drawInitial } from "../dist/smolvla/load.js";
import { computeDtype } from "../dist/smolvla/precision.js";
import { parseVlmConfig } from "../dist/smolvla/vlm-config.js";
import {
  backward,
  empty,
  full,
  Generator,
  keep,
  mean,
  normal_,
  numLiveTensors,
  ones,
  peakMemoryBytes,
  scope,
  setNumThreads,
  square,
  synchronize,
  toDevice,
  torchVersion,
} from "../dist/torch/index.js";
import { describeMachine, GIB, printFacts, printTable, record } from "./support/report.mjs";
import { median } from "./support/statistics.mjs";

const HELP = `gradient-checkpointing [--batch-sizes 8,32] [--prefix-tokens 177] [--steps 3] [--threads 2] [--device cpu|cuda]
                       [--precision fp32|bf16] [--record]

A step is the student's part of training alone: its projections of the prefix, the velocity, a mean of squares and the
backward pass, for an expert with random weights. Memory is what a process takes at its peak beyond what it had before its
first step: gradients of all weights, and what the forward pass keeps. Time is processor time on the CPU, elapsed time
elsewhere. Each measurement is a process of its own.`;

const GEOMETRY = join(import.meta.dirname, "..", "test", "fixtures", "smolvlm2-500m-geometry", "config.json");
const { text: TEXT } = parseVlmConfig(JSON.parse(readFileSync(GEOMETRY, "utf8")), GEOMETRY);
const NUM_LAYERS = 16;

const { values } = parseArgs({
  options: {
    "batch-sizes": { type: "string", default: "8,32" },
    "prefix-tokens": { type: "string", default: "177" },
    steps: { type: "string", default: "3" },
    threads: { type: "string", default: "2" },
    device: { type: "string", default: "cpu" },
    precision: { type: "string", default: "fp32" },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
    "measure-batch-size": { type: "string" },
    recompute: { type: "boolean", default: false },
  },
});
const device = values.device === "cuda" ? "cuda:0" : values.device;

/** Processor time on the CPU, because it hardly depends on what else runs there. */
function now() {
  const { user, system } = process.cpuUsage();
  return device === "cpu" ? (user + system) / 1e6 : performance.now() / 1000;
}

/** In a process of its own: steps with or without recomputation, as JSON on standard output. */
function measure() {
  setNumThreads(Number(values.threads));
  const [B, P] = [Number(values["measure-batch-size"]), Number(values["prefix-tokens"])];
  const config = parseSmolVLAConfig({ type: "smolvla" }, "bench");
  const generator = new Generator(0);
  const precision = values.precision === "bf16" ? "bf16" : "fp32";
  const expert = new ActionExpert(
    (name, shape, law) =>
      scope(() =>
        keep(toDevice(drawInitial(shape, law, generator), device, computeDtype(`expert.${name}`, precision, config))),
      ),
    config,
    TEXT,
    NUM_LAYERS,
  );
  expert.setTrainable(true);
  expert.recomputesLayers = values.recompute;
  const draw = (...shape) => toDevice(normal_(empty(shape, "float32"), 0, 1, generator), device);
  const dtype = precision === "bf16" ? "bfloat16" : "float32";
  const keyValues = (length) =>
    Array.from({ length: NUM_LAYERS }, () => {
      const [key, value] = [0, 1].map(() =>
        scope(() => toDevice(draw(B, TEXT.numKeyValueHeads, length, TEXT.headDim), device, dtype)),
      );
      return { key, value };
    });
  const context = {
    layers: keyValues(P - 1),
    mask: ones([B, P - 1], "bool", undefined, device),
    numValid: full([B, 1], P - 1, "int64", undefined, device),
  };
  const state = keyValues(1);
  const [noise, time] = [draw(B, config.chunkSize, config.maxActionDim), full([B], 0.5, "float32", undefined, device)];
  const parameters = expert.parameters();
  const step = () => {
    for (const parameter of parameters) parameter.grad = undefined;
    return scope(() => {
      const loss = mean(square(expert.velocity(expert.attach(context, state), noise, time)));
      backward(loss);
      return loss.item();
    });
  };
  globalThis.gc?.();
  const peak = () => peakMemoryBytes(device) ?? process.resourceUsage().maxRSS * 1024;
  const before = device === "cpu" ? process.memoryUsage.rss() : peak();
  const [seconds, losses, liveTensors] = [[], new Set(), new Set()];
  for (let i = 0; i <= Number(values.steps); i++) {
    const started = now();
    losses.add(step());
    synchronize(device);
    if (i > 0) seconds.push(now() - started); // the first warms up
    liveTensors.add(numLiveTensors());
  }
  const result = { peakBytes: peak() - before, seconds, loss: [...losses], liveTensors: [...liveTensors] };
  process.stdout.write(JSON.stringify(result));
}

/** Runs this file once more, for one row. */
function measuredApart(batchSize, recomputes) {
  const passed = ["prefix-tokens", "steps", "threads", "device", "precision"].map(
    (name) => `--${name}=${values[name]}`,
  );
  const args = [fileURLToPath(import.meta.url), ...passed, `--measure-batch-size=${batchSize}`];
  return JSON.parse(execFileSync(process.execPath, recomputes ? [...args, "--recompute"] : args, { encoding: "utf8" }));
}

function main() {
  const machine = describeMachine();
  const { record: isRecorded, help: _, recompute: __, ...settings } = values;
  const rows = values["batch-sizes"].split(",").map((text) => {
    const [plain, recomputed] = [measuredApart(Number(text), false), measuredApart(Number(text), true)];
    return {
      batchSize: Number(text),
      plain,
      recomputed,
      memoryRatio: plain.peakBytes / recomputed.peakBytes,
      timeRatio: median(recomputed.seconds) / median(plain.seconds),
    };
  });
  printFacts({ ...machine, torch: torchVersion(), ...settings });
  printTable(
    ["batch size", "plain, GiB", "recomputed, GiB", "less memory", "plain, s", "recomputed, s", "more time"],
    rows.map(({ batchSize, plain, recomputed, memoryRatio, timeRatio }) => [
      batchSize,
      (plain.peakBytes / GIB).toFixed(2),
      (recomputed.peakBytes / GIB).toFixed(2),
      `${memoryRatio.toFixed(2)}x`,
      median(plain.seconds).toFixed(2),
      median(recomputed.seconds).toFixed(2),
      `${timeRatio.toFixed(2)}x`,
    ]),
  );
  if (isRecorded) record("gradient-checkpointing", { machine, torch: torchVersion(), settings, rows });
}

if (values.help) console.log(HELP);
else if (values["measure-batch-size"] !== undefined) measure();
else main();
