import { createHash } from "node:crypto";
import { join, resolve } from "node:path";
import {
  type ClosedLoopRequest,
  COMPARISON_FORMAT,
  type ComparedPolicy,
  type Comparison,
  type ComparisonRun,
  expectDatasetFit,
  expectEqualChunks,
  type OfflineRequest,
  openComparisonFolder,
  policyFlow,
  runComparison,
  sampleFrames,
} from "../compare/index.js";
import { LeRobotDataset, readDatasetMetadata } from "../data/index.js";
import { makeEnvironment } from "../env/index.js";
import { resolveFolder } from "../hub/resolve-folder.js";
import { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import { writeReport } from "../report/index.js";
import { episodeVideoPath, expectFit, policyLatency, RolloutThreads, writeEpisodeVideo } from "../rollout/index.js";
import { actionDim } from "../smolvla/config.js";
import { deriveSeed } from "../support/derive-seed.js";
import { ConfigError, isUserError } from "../support/errors.js";
import { defaultDevice, expectDevice, torchVersion } from "../torch/index.js";
import { chooseEpisodes } from "./compare-episodes.js";
import { type FoundPolicy, findPolicies } from "./compare-policies.js";
import type { CompareConfig, CompareDataset } from "./compare-settings.js";
import { formatComparison, stepsText } from "./format-comparison.js";
import { normalizationWarnings } from "./normalization-warnings.js";
import { packageVersion } from "./package-version.js";
import type { ShowProgress } from "./progress-lines.js";

export interface CompareRunOptions {
  readonly signal: AbortSignal;
  readonly onSamples: ShowProgress;
  readonly onEpisodes: ShowProgress;
  readonly onWarning: (message: string) => void;
}

export interface Compared {
  readonly text: string;
  readonly comparison: Comparison;
  readonly wasInterrupted: boolean;
}

/** Everything about a comparison that is known before a network is loaded. */
interface Plan {
  readonly comparison: Comparison;
  readonly policies: readonly FoundPolicy[];
  readonly device: string;
  readonly numActionSteps: number;
  readonly dataset: ChosenDataset | undefined;
}

interface ChosenDataset {
  readonly root: string;
  readonly repoId: string | undefined;
  readonly episodes: readonly number[];
}

/**
 * Compares policies with the first of them and keeps what is found out in `comparison.json` and a report page, part by part.
 *
 * @throws ConfigError, CheckpointError, DatasetError, ... before anything is measured for whatever does not fit together
 */
export async function runCompare(config: CompareConfig, given: CompareRunOptions): Promise<Compared> {
  const options = { ...given, onWarning: eachOnce(given.onWarning) };
  const plan = await planComparison(config);
  for (const warning of warningsOf(plan, config)) options.onWarning(warning);
  const folderPath = config.outputDir ?? defaultFolder();
  const { fingerprint } = plan.comparison;
  const folder = await openComparisonFolder(folderPath, { fingerprint: fingerprint!, overwrite: config.overwrite });
  try {
    const comparison =
      folder.known?.status === "complete"
        ? folder.known
        : await runComparison({
            comparison: folder.known ?? plan.comparison,
            offline: plan.dataset && (await offlineRequest(config, plan, plan.dataset, options)),
            closedLoop: config.environment && closedLoopRequest(config, plan, config.environment, folderPath, options),
            save: (found) => folder.save(found),
            signal: options.signal,
          });
    const reportFile = await reportOf(config, folderPath, options);
    const files = [folder.file, ...(reportFile === undefined ? [] : [reportFile])];
    const wasInterrupted = comparison.status === "partial";
    return { text: formatComparison(comparison, files), comparison, wasInterrupted };
  } finally {
    folder.release();
  }
}

/** A policy is loaded for its samples and again for its episodes, with the same warnings. */
function eachOnce(tell: (message: string) => void): (message: string) => void {
  const told = new Set<string>();
  return (message) => {
    if (!told.has(message)) tell(message);
    told.add(message);
  };
}

function warningsOf({ comparison, dataset, policies, numActionSteps }: Plan, config: CompareConfig): readonly string[] {
  const [teacher] = comparison.policies;
  const others =
    config.nActionSteps === undefined ? policies.filter((policy) => ownActionSteps(policy) !== numActionSteps) : [];
  return [
    ...others.map(
      (policy) =>
        `${policy.name} carries out ${ownActionSteps(policy)} actions of a chunk by its own config.json; here all carry out ` +
        `${numActionSteps}, as ${teacher!.name} does (--n_action_steps says otherwise)`,
    ),
    ...(comparison.settings.dataset?.remarks ?? []),
    ...(dataset !== undefined && teacher!.isDistilled
      ? [`${teacher!.name}, the teacher, was trained for one step: its flow, well solved, is no reference`]
      : []),
  ];
}

const ownActionSteps = ({ config }: FoundPolicy): number => Math.min(config.nActionSteps, config.chunkSize);

async function planComparison(config: CompareConfig): Promise<Plan> {
  const { environment } = config;
  const world = environment && makeEnvironment(environment.type, environment.options);
  const device = expectDevice(config.device ?? defaultDevice(), "comparison settings at device");
  const policies = await findPolicies(config.policies);
  expectEqualChunks(policies);
  const teacher = policies[0]!.config;
  const numActionSteps = config.nActionSteps ?? ownActionSteps(policies[0]!);
  if (numActionSteps > teacher.chunkSize) {
    throw new ConfigError("comparison settings", [
      {
        path: "n_action_steps",
        message: `expected at most ${teacher.chunkSize}, the policies' chunk_size, got ${numActionSteps}`,
      },
    ]);
  }
  if (world) {
    for (const { name, config: own, renameMap } of policies) {
      expectFitOf(name, () => expectFit(own, world, renameMap));
    }
  }
  const found = config.dataset && (await findDataset(config.dataset, config.numObservations, policies));
  const settings = {
    numStepsList: config.numStepsList,
    deployedSteps: config.deployedSteps ?? teacher.numSteps,
    seed: config.seed,
    device,
    precision: config.precision,
    dataset: found && {
      root: resolve(found.root),
      episodes: found.episodes,
      numObservations: found.numObservations,
      numNoises: config.numNoises,
      referenceSteps: config.referenceSteps,
      pathSteps: config.pathSteps,
      remarks: found.remarks,
    },
    environment: world && {
      id: world.id,
      options: environment!.options,
      numEpisodes: config.numEpisodes,
      numActionSteps,
    },
    versions: { "reflow-vla": packageVersion(), libtorch: torchVersion(), node: process.versions.node },
  };
  const { margins } = config;
  const identity = {
    ...{ settings, margins, numActionSteps, dataset: found?.contentHash },
    policies: policies.map(({ name, contentHash }) => [name, contentHash]),
  };
  const comparison: Comparison = {
    format: COMPARISON_FORMAT,
    created: new Date().toISOString(),
    status: "partial",
    fingerprint: createHash("sha256").update(JSON.stringify(identity)).digest("hex"),
    margins,
    settings,
    policies: policies.map(({ policy }) => policy),
    verdicts: [],
  };
  return { comparison, policies, device, numActionSteps, dataset: found };
}

function expectFitOf(name: string, check: () => void): void {
  try {
    check();
  } catch (error) {
    if (error instanceof ConfigError) throw new ConfigError(`compare: policy "${name}"`, error.message);
    throw error;
  }
}

async function findDataset(asked: CompareDataset, numObservations: number, policies: readonly FoundPolicy[]) {
  const { repoId, revision } = asked;
  const root = asked.root ?? (await resolveFolder({ nameOrPath: repoId!, kind: "dataset", revision }));
  const metadata = await readDatasetMetadata(root, repoId);
  const blind = policies.flatMap((policy) => {
    const missing = expectDatasetFit(policy, metadata, policy.renameMap);
    return missing.length > 0 ? [`${policy.name} looks at ${missing.join(", ")}, which the dataset lacks`] : [];
  });
  const lengths = new Map(metadata.episodes.map(({ index, length }) => [index, length]));
  const { episodes, remarks } = await chooseEpisodes({
    policies: policies.map(({ policy }) => policy),
    dataset: { root, repoId },
    all: [...lengths.keys()],
    asked: asked.episodes,
  });
  const numFrames = episodes.reduce((sum, index) => sum + lengths.get(index)!, 0);
  const { contentHash } = metadata;
  return {
    root,
    repoId,
    episodes,
    remarks: [...blind, ...remarks],
    contentHash,
    numObservations: Math.min(numObservations, numFrames),
  };
}

async function load(
  { name, folder }: ComparedPolicy,
  { device, precision }: Comparison["settings"],
  onWarning: (message: string) => void,
): Promise<SmolVLAPolicy> {
  const policy = await SmolVLAPolicy.load(folder, { device, precision: precision as "fp32" | "bf16" });
  for (const warning of [...policy.warnings, ...normalizationWarnings(policy)]) onWarning(`${name}: ${warning}`);
  return policy;
}

async function offlineRequest(
  config: CompareConfig,
  { comparison, policies, numActionSteps }: Plan,
  { root, repoId, episodes }: ChosenDataset,
  { onSamples, onWarning }: CompareRunOptions,
): Promise<NonNullable<ComparisonRun["offline"]>> {
  const { chunkSize, maxActionDim } = policies[0]!.config;
  const { numNoises, referenceSteps, pathSteps, chunksAtOnce, seed } = config;
  await using dataset = await LeRobotDataset.open({ root, repoId, episodes, chunkSize });
  const items = await sampleFrames(dataset, config.numObservations);
  return {
    open: async (policy) => policyFlow(await load(policy, comparison.settings, onWarning), items),
    numObservations: items.length,
    ...{ numNoises, referenceSteps, pathSteps, chunksAtOnce, numActionSteps },
    chunk: { chunkSize, maxActionDim, actionDim: actionDim(policies[0]!.config) },
    seed: deriveSeed(seed, "compare offline"),
    onProgress: ({ policy, numDone, share }) =>
      onSamples(`${policy}: ${numDone} of ${items.length} observations`, share),
  } satisfies Partial<OfflineRequest>;
}

function closedLoopRequest(
  config: CompareConfig,
  { comparison, numActionSteps }: Plan,
  { type, options }: NonNullable<CompareConfig["environment"]>,
  folder: string,
  { onEpisodes, onWarning }: CompareRunOptions,
): NonNullable<ComparisonRun["closedLoop"]> {
  const { numEpisodes, batchSize, numWorkers, numVideos, seed, latencyCalls: numCalls } = config;
  const make = () => makeEnvironment(type, options);
  return {
    open: async (compared) => {
      const policy = await load(compared, comparison.settings, onWarning);
      const place = { folder: compared.folder, device: policy.device, precision: policy.precision };
      const threads = new RolloutThreads({ policy: place, environment: { type, options } }, numWorkers - 1);
      return {
        policy,
        rollOut: (request) => threads.rollOut(request),
        measureLatency: (numSteps) =>
          numCalls > 0 ? policyLatency(policy, make(), { numSteps, seed, numCalls }) : undefined,
        dispose: async () => {
          await threads[Symbol.asyncDispose]();
          policy.dispose();
        },
      };
    },
    makeEnvironment: make,
    ...{ numEpisodes, batchSize, seed, numActionSteps },
    record: async (policy, numSteps, episodes) => {
      const videos: string[] = [];
      for (const episode of episodes.slice(0, numVideos)) {
        const video = join("videos", `${policy}_${numSteps}`, episodeVideoPath(type, episode.index));
        await writeEpisodeVideo(join(folder, video), episode, make());
        videos.push(video);
      }
      return videos;
    },
    onProgress: ({ policy, numSteps, numDone, share }) =>
      onEpisodes(`${policy}, ${stepsText(numSteps)}: ${numDone} of ${numEpisodes} episodes`, share),
  } satisfies Partial<ClosedLoopRequest>;
}

/** Writes the report page. What was measured is on disk: a page that was not asked for and cannot be written is a warning. */
async function reportOf(
  { reportFile }: CompareConfig,
  folder: string,
  { onWarning }: CompareRunOptions,
): Promise<string | undefined> {
  const file = reportFile ?? join(folder, "report.html");
  try {
    await writeReport([folder], file, { now: new Date(), version: packageVersion() });
    return file;
  } catch (error) {
    if (!isUserError(error) || reportFile !== undefined) throw error;
    onWarning(`no report was written: ${error.message}`);
    return undefined;
  }
}

const twoDigits = (n: number): string => String(n).padStart(2, "0");

/** `outputs/compare/<YYYY-MM-DD>/<HH-MM-SS>`, local time. */
function defaultFolder(): string {
  const now = new Date();
  const date = [now.getFullYear(), now.getMonth() + 1, now.getDate()].map(twoDigits).join("-");
  const time = [now.getHours(), now.getMinutes(), now.getSeconds()].map(twoDigits).join("-");
  return join("outputs", "compare", date, time);
}
