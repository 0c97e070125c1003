import type { Environment } from "../../env/index.js";
import type { Latency } from "../../eval/index.js";
import { type Episode, type RolloutRequest, rollOut } from "../../rollout/index.js";
import type { ClosedLoopRow, ComparedPolicy } from "../comparison.js";
import { namingPolicy } from "../naming-policy.js";
import { stepsOf } from "../steps-of.js";
import { closedLoopRow } from "./closed-loop-row.js";

/** A policy that is loaded, until it is disposed. */
export interface OpenedPolicy {
  readonly policy: RolloutRequest["policy"];
  /** drives it, as `rollOut` of this thread does, which is taken if this is left out */
  readonly rollOut?: (request: RolloutRequest) => AsyncIterable<Episode>;
  /** of one prediction; undefined if it is not asked for */
  readonly measureLatency: (numSteps: number) => Latency | undefined;
  dispose(): Promise<void> | void;
}

export interface ClosedLoopRequest {
  /** the first is the teacher */
  readonly policies: readonly ComparedPolicy[];
  /** loads one; it is disposed before the next is loaded */
  readonly open: (policy: ComparedPolicy) => Promise<OpenedPolicy>;
  readonly makeEnvironment: () => Environment;
  readonly numEpisodes: number;
  readonly batchSize: number;
  readonly numStepsList: readonly number[];
  /** of the teacher */
  readonly deployedSteps: number;
  /** actions of a chunk that are carried out, by all policies */
  readonly numActionSteps: number;
  /** of the first episode; episode i has `seed + i` in every row, and noises that follow from it */
  readonly seed: number;
  /** rows that are not wanted, because an earlier comparison has them */
  readonly isDone: (policy: string, numSteps: number) => boolean;
  /** shows episodes of a complete row; @returns files, relative to the comparison's folder. None if left out */
  readonly record?: ((policy: string, numSteps: number, episodes: readonly Episode[]) => Promise<string[]>) | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((progress: ClosedLoopProgress) => void) | undefined;
}

export interface ClosedLoopProgress {
  readonly policy: string;
  readonly numSteps: number;
  /** episodes of the row that is running */
  readonly numDone: number;
  /** of all rows that are wanted, from 0 to 1; undefined before the first episode of a row has ended */
  readonly share: number | undefined;
}

/**
 * Drives policies in closed loop, one after the other, the teacher with its deployed number of steps first: what all other rows
 * are compared with. A signal ends it with what is known of the row that is running, marked as partial.
 *
 * @throws ConfigError if a policy cannot drive the world
 */
export async function* compareClosedLoop(request: ClosedLoopRequest): AsyncGenerator<ClosedLoopRow, void, undefined> {
  const { policies, signal } = request;
  const plan = policies.map((policy) => ({ policy, wanted: wantedSteps(policy, request) }));
  const total = plan.flatMap(({ wanted }) => wanted).reduce((sum, numSteps) => sum + rowWork(numSteps), 0);
  let done = 0;
  for (const { policy, wanted } of plan) {
    if (wanted.length === 0) continue;
    if (signal?.aborted) return;
    const opened = await namingPolicy(policy, () => request.open(policy));
    try {
      for (const numSteps of wanted) {
        if (signal?.aborted) return;
        const work = rowWork(numSteps);
        const onRound = (numDone: number, ofRow: number | undefined): void => {
          const share = ofRow === undefined ? undefined : (done + ofRow * work) / total;
          request.onProgress?.({ policy: policy.name, numSteps, numDone, share });
        };
        const row = await namingPolicy(policy, () => measureRow(opened, policy.name, numSteps, request, onRound));
        done += work;
        if (row.episodes.length > 0) yield row;
      }
    } finally {
      await opened.dispose();
    }
  }
}

/** A guess, in evaluations of the velocity: looking, and moving the world, for as much as three of them. */
const rowWork = (numSteps: number): number => 3 + numSteps;

/** Numbers of steps that are not known yet, the teacher's deployed one first. */
function wantedSteps(policy: ComparedPolicy, request: ClosedLoopRequest): number[] {
  const { policies, deployedSteps, isDone } = request;
  const isTeacher = policy === policies[0];
  const wanted = stepsOf(policy, request, isTeacher).filter((numSteps) => !isDone(policy.name, numSteps));
  if (isTeacher) wanted.sort((a, b) => Number(b === deployedSteps) - Number(a === deployedSteps));
  return wanted;
}

async function measureRow(
  { policy, rollOut: drive = rollOut, measureLatency }: OpenedPolicy,
  name: string,
  numSteps: number,
  request: ClosedLoopRequest,
  onRound: (numDone: number, ofRow: number | undefined) => void,
): Promise<ClosedLoopRow> {
  const { makeEnvironment, numEpisodes, batchSize, seed, numActionSteps, signal } = request;
  const episodes: Episode[] = [];
  const began = performance.now();
  onRound(0, 0);
  for await (const episode of drive({
    ...{ policy, makeEnvironment, numEpisodes, batchSize, seed, numSteps, numActionSteps, signal },
    onRound: (share) => onRound(episodes.length, share),
  })) {
    episodes.push(episode);
  }
  const seconds = (performance.now() - began) / 1000;
  const isComplete = episodes.length === numEpisodes;
  const latency = isComplete ? measureLatency(numSteps) : undefined;
  const videos = isComplete ? await request.record?.(name, numSteps, episodes) : undefined;
  const { modes } = makeEnvironment();
  return closedLoopRow({
    policy: name,
    numSteps,
    episodes,
    numEpisodes,
    modes,
    latency,
    seconds,
    videos: videos ?? [],
  });
}
