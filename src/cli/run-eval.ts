import { join } from "node:path";
import { type Environment, makeEnvironment } from "../env/index.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { observationRenames } from "../policy/processors/pipeline.js";
import { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import {
  type Episode,
  episodeVideoPath,
  expectFit,
  loadVideoEncoder,
  policyLatency,
  RolloutThreads,
  summarizeEpisodes,
  writeEpisodeVideo,
} from "../rollout/index.js";
import { ConfigError } from "../support/errors.js";
import { evalPlaces } from "./eval-places.js";
import { EvalRecord } from "./eval-record.js";
import type { EvalConfig } from "./eval-settings.js";
import { formatEvaluation } from "./format-evaluation.js";
import { normalizationWarnings } from "./normalization-warnings.js";
import type { ShowProgress } from "./progress-lines.js";

export interface EvalRunOptions {
  readonly signal: AbortSignal;
  /** told how far it is */
  readonly onProgress: ShowProgress;
  readonly onWarning: (message: string) => void;
}

export interface Evaluated {
  readonly text: string;
  readonly wasInterrupted: boolean;
}

/**
 * Evaluates a policy in a built-in world: writes `eval_info.json`, marked as partial until the end, and videos of the first
 * episodes as soon as they are over.
 *
 * @throws ConfigError, CheckpointError, ... before the first episode for settings, a policy or a place that cannot be used
 */
export async function runEvaluation(config: EvalConfig, options: EvalRunOptions): Promise<Evaluated> {
  const world = makeEnvironment(config.environment.type, config.environment.options);
  const record = await EvalRecord.open(evalPlaces(config).file, config.overwrite);
  try {
    return await evaluateInto(record, world, config, options);
  } finally {
    record.close();
  }
}

async function evaluateInto(
  record: EvalRecord,
  world: Environment,
  config: EvalConfig,
  options: EvalRunOptions,
): Promise<Evaluated> {
  const { environment, seed, numEpisodes, batchSize, latencyCalls: numCalls, maxEpisodesRendered } = config;
  const make = () => makeEnvironment(environment.type, environment.options);
  const places = evalPlaces(config);
  if (maxEpisodesRendered > 0) await loadVideoEncoder();
  const folder = await findPolicyFolder(config.policy.path);
  const policy = await SmolVLAPolicy.load(folder, {
    ...(config.policy.device === undefined ? {} : { device: config.policy.device }),
    precision: config.precision,
  });
  try {
    for (const warning of [...policy.warnings, ...normalizationWarnings(policy)]) options.onWarning(warning);
    expectFit(policy.config, world, observationRenames(policy.processors.preprocessor));
    const { numSteps, numActionSteps } = stepsOf(config, policy);
    const settings = {
      policy: config.policy.path,
      environment: world.id,
      environmentOptions: environment.options,
      numSteps,
      numActionSteps,
      seed,
      device: policy.device,
      precision: policy.precision,
    };
    const began = performance.now();
    const episodes: Episode[] = [];
    const videos: string[] = [];
    const content = () => ({
      taskGroup: environment.type,
      episodes,
      videos,
      settings,
      summary: summarizeEpisodes(episodes, world.modes),
      seconds: (performance.now() - began) / 1000,
    });
    await record.write(content(), true);
    const request = { policy, makeEnvironment: make, numEpisodes, batchSize, seed, numSteps, numActionSteps };
    const onRound = (share: number | undefined): void =>
      options.onProgress(`${episodes.length} of ${numEpisodes} episodes`, share);
    onRound(0);
    const place = { folder, device: policy.device, precision: policy.precision };
    await using threads = new RolloutThreads({ policy: place, environment }, config.numWorkers - 1);
    for await (const episode of threads.rollOut({ ...request, signal: options.signal, onRound })) {
      episodes.push(episode);
      if (episode.index < maxEpisodesRendered) {
        const video = join(places.videos, episodeVideoPath(environment.type, episode.index));
        await writeEpisodeVideo(video, episode, make(), config.videoSize);
        videos.push(video);
      }
      await record.update(content);
    }
    const isPartial = episodes.length < numEpisodes;
    const result = content();
    await record.write(result, true);
    const latency = numCalls > 0 && !isPartial ? policyLatency(policy, world, { numSteps, seed, numCalls }) : undefined;
    if (!isPartial) await record.write({ ...result, latency }, false);
    const { summary } = result;
    const videoFolder = videos.length > 0 ? places.videos : undefined;
    return {
      text: formatEvaluation({ summary, latency, settings, file: record.file, videoFolder, isPartial, numEpisodes }),
      wasInterrupted: isPartial,
    };
  } finally {
    policy.dispose();
  }
}

/** Euler steps, and actions of a chunk that are carried out. @throws ConfigError for more actions than a chunk has */
function stepsOf(
  { policy: asked }: EvalConfig,
  { config }: SmolVLAPolicy,
): { readonly numSteps: number; readonly numActionSteps: number } {
  const { numSteps = config.numSteps, nActionSteps: numActionSteps = config.nActionSteps } = asked;
  if (numActionSteps <= config.chunkSize) return { numSteps, numActionSteps };
  throw new ConfigError("evaluation settings", [
    {
      path: "policy.n_action_steps",
      message: `expected at most ${config.chunkSize}, the policy's chunk_size, got ${numActionSteps}`,
    },
  ]);
}
