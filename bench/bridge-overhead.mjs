// Microseconds of one small operator call through the bridge, beside Python's own.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { parseArgs } from "node:util";
import * as torch from "../dist/torch/index.js";
import { pythonEnv } from "./support/policy-folder.mjs";
import { describeMachine, printFacts, printTable, record } from "./support/report.mjs";
import { median } from "./support/statistics.mjs";

const HELP = `bridge-overhead [--calls 20000] [--rounds 7] [--record]

Tensors of four floats (matrices of 4 x 4), one thread. "scope" frees the results of 100 calls at a time, "dispose" each
result by itself; both are part of the time, as freeing is in Python's.`;

const TARGET_MICROSECONDS = 2.5;
const CALLS_PER_SCOPE = 100;

const { values } = parseArgs({
  options: {
    calls: { type: "string", default: "20000" },
    rounds: { type: "string", default: "7" },
    record: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});

/** The operators of `python/op_overhead.py`, under its names. */
function operators(requiresGrad) {
  const leaf = (shape) => {
    const x = torch.keep(torch.ones(shape));
    x.requiresGrad = requiresGrad;
    return x;
  };
  const [a, b, m, n] = [leaf([4]), leaf([4]), leaf([4, 4]), leaf([4, 4])];
  return {
    add: () => torch.add(a, b),
    mul: () => torch.mul(a, b),
    mul_scalar: () => torch.mulScalar(a, 2),
    view: () => torch.view(a, [2, 2]),
    transpose: () => torch.transpose(m, 0, 1),
    narrow: () => torch.slice(a, 0, 1, 3),
    cat: () => torch.cat([a, b], 0),
    sum: () => torch.sum(a),
    silu: () => torch.silu(a),
    softmax: () => torch.softmax(a, -1),
    matmul: () => torch.matmul(m, n),
    linear: () => torch.linear(m, n),
    to_bf16: () => torch.toDtype(a, "bfloat16"),
  };
}

/** How the results of many calls are freed. */
const LIFETIMES = {
  scope: (call, count) => {
    for (let done = 0; done < count; done += CALLS_PER_SCOPE) {
      torch.scope(() => {
        for (let i = 0; i < CALLS_PER_SCOPE; i++) call();
      });
    }
  },
  dispose: (call, count) => {
    for (let i = 0; i < count; i++) call().dispose();
  },
};

function microsecondsPerCall(run, call, count) {
  const started = performance.now();
  run(call, count);
  return ((performance.now() - started) / count) * 1000;
}

function measureOurs(requiresGrad, numCalls, numRounds) {
  const calls = operators(requiresGrad);
  const rounds = Object.fromEntries(Object.keys(calls).map((name) => [name, { scope: [], dispose: [] }]));
  const measureAll = () => {
    for (const [name, call] of Object.entries(calls)) {
      for (const [lifetime, run] of Object.entries(LIFETIMES)) {
        rounds[name][lifetime].push(microsecondsPerCall(run, call, numCalls));
      }
    }
  };
  // Rounds go over all operators, so that a disturbance does not fall on one of them alone; the first is a warm-up.
  for (let round = 0; round <= numRounds; round++) {
    if (requiresGrad) measureAll();
    else torch.noGrad(measureAll);
  }
  return Object.fromEntries(
    Object.entries(rounds).map(([name, { scope, dispose }]) => [
      name,
      { scope: median(scope.slice(1)), dispose: median(dispose.slice(1)) },
    ]),
  );
}

async function main() {
  const machine = describeMachine();
  const { python, env } = await pythonEnv();
  const [numCalls, numRounds] = [Number(values.calls), Number(values.rounds)];
  torch.setNumThreads(1);
  const ours = {
    grad_off: measureOurs(false, numCalls, numRounds),
    grad_on: measureOurs(true, numCalls, numRounds),
  };
  const script = join(import.meta.dirname, "python", "op_overhead.py");
  const theirs = JSON.parse(
    execFileSync(python, [script, "--calls", values.calls, "--repeats", values.rounds], { env, encoding: "utf8" }),
  );
  printFacts({ ...machine, torch: torch.torchVersion(), "Python's torch": theirs.torch, python: theirs.python });
  const slowest = {};
  for (const mode of ["grad_off", "grad_on"]) {
    const rows = Object.entries(ours[mode]).map(([name, { scope, dispose }]) => {
      const reference = theirs.microseconds[mode][name].median;
      return [name, scope, dispose, reference, scope / reference];
    });
    slowest[mode] = Math.max(...rows.map(([, scope]) => Number(scope)));
    printTable(
      [`us per call, ${mode}`, "scope", "dispose", "Python", "scope / Python"],
      rows.map(([name, ...numbers]) => [name, ...numbers.map((number) => Number(number).toFixed(2))]),
    );
  }
  const middle = median(Object.values(ours.grad_off).map(({ scope }) => scope));
  const verdict = middle <= TARGET_MICROSECONDS ? "met" : "MISSED";
  printFacts({
    "median operator, gradients off, in a scope": `${middle.toFixed(2)} us (target <= ${TARGET_MICROSECONDS}: ${verdict})`,
    "slowest operator, off and on": `${slowest.grad_off.toFixed(2)} and ${slowest.grad_on.toFixed(2)} us`,
  });
  if (values.record) record("bridge-overhead", { machine, target: TARGET_MICROSECONDS, ours, theirs });
}

if (values.help) console.log(HELP);
else await main();
