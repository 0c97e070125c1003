import { mkdir } from "node:fs/promises";
import { dirname, join } from "node:path";
import { makeEnvironment } from "../env/index.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { type Episode, evalInfo, policyLatency, rollOut, summarizeEpisodes } from "../rollout/index.js";
import { writeFileAtomically } from "../support/atomic-file.js";
import type { EvalConfig } from "./eval-settings.js";
import { formatEvaluation } from "./format-evaluation.js";

export interface EvalRunOptions {
  readonly signal: AbortSignal;
  /** told how far it is */
  readonly onProgress: (done: number, total: number) => void;
  readonly onWarning: (message: string) => void;
}

export interface Evaluated {
  readonly text: string;
  readonly wasInterrupted: boolean;
}

/** Evaluates a policy in a built-in world and writes `eval_info.json`; what an interrupted evaluation knows is written too. */
export async function runEvaluation(config: EvalConfig, options: EvalRunOptions): Promise<Evaluated> {
  const { environment, seed } = config;
  const make = () => makeEnvironment(environment.type, environment.options);
  const world = make();
  const policy = await SmolVLAPolicy.load(await findPolicyFolder(config.policy.path), {
    ...(config.policy.device === undefined ? {} : { device: config.policy.device }),
    precision: config.precision,
  });
  try {
    for (const warning of policy.warnings) options.onWarning(warning);
    const began = performance.now();
    const numSteps = config.policy.numSteps ?? policy.config.numSteps;
    const numActionSteps = config.policy.nActionSteps ?? policy.config.nActionSteps;
    const { numEpisodes, batchSize } = config;
    const episodes: Episode[] = [];
    const request = { policy, makeEnvironment: make, numEpisodes, batchSize, seed, numSteps, numActionSteps };
    for await (const episode of rollOut({ ...request, signal: options.signal })) {
      episodes.push(episode);
      options.onProgress(episodes.length, numEpisodes);
    }
    const seconds = (performance.now() - began) / 1000;
    const isPartial = episodes.length < numEpisodes;
    const { latencyCalls: numCalls } = config;
    const latency = numCalls > 0 && !isPartial ? policyLatency(policy, world, { numSteps, seed, numCalls }) : undefined;
    const summary = summarizeEpisodes(episodes, world.modes);
    const settings = {
      policy: config.policy.path,
      environment: world.id,
      numSteps,
      numActionSteps,
      seed,
      device: policy.device,
      precision: policy.precision,
    };
    const file = config.outputFile ?? join(config.outputDir ?? defaultFolder(environment.type), "eval_info.json");
    const info = evalInfo({ taskGroup: environment.type, episodes, summary, seconds, isPartial, latency, settings });
    await mkdir(dirname(file), { recursive: true });
    await writeFileAtomically(file, `${JSON.stringify(info, null, 2)}\n`);
    return {
      text: formatEvaluation({ summary, latency, settings, file, isPartial, numEpisodes }),
      wasInterrupted: isPartial,
    };
  } finally {
    policy.dispose();
  }
}

const twoDigits = (n: number): string => String(n).padStart(2, "0");

/** `outputs/eval/<YYYY-MM-DD>/<HH-MM-SS>_<env>`, local time, as LeRobot names evaluations. */
function defaultFolder(environment: string): string {
  const now = new Date();
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(twoDigits).join("-");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(twoDigits).join("-");
  return `outputs/eval/${date}/${time}_${environment}`;
}
