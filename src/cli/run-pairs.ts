import { makePairs, numBytesOf, type PairEvent, type PairSummary } from "../train/pairs/make-pairs.js";
import { numShards } from "../train/pairs/pair-manifest.js";
import type { PairsConfig } from "../train/pairs/pairs-config.js";
import { createLogger, type Logger } from "./logger.js";
import { packageVersion } from "./package-version.js";
import { formatDuration } from "./progress.js";

export interface RunPairsOptions {
  readonly signal: AbortSignal;
  readonly stream: NodeJS.WritableStream;
  /** in milliseconds */
  readonly now?: () => number;
}

type Start = Extract<PairEvent, { kind: "start" }>;

/** A line of progress is written at most this often. */
const PROGRESS_MS = 10_000;

/** Makes pairs as the settings say, with log lines. @returns whether it was interrupted */
export async function runPairs(
  config: PairsConfig,
  { signal, stream, now = Date.now }: RunPairsOptions,
): Promise<boolean> {
  const logger = createLogger({ writeLine: (line) => void stream.write(`${line}\n`) });
  const events = makePairs(config, {
    program: `reflow-vla ${packageVersion()}`,
    signal,
    onWarning: (message) => logger.warning(message),
  });
  let start: Start | undefined;
  let [beganMs, shownMs] = [now(), now()];
  for await (const event of events) {
    switch (event.kind) {
      case "start":
        start = event;
        [beganMs, shownMs] = [now(), now()];
        announce(event, config, logger);
        break;
      case "progress":
      case "shard":
        if (now() - shownMs < PROGRESS_MS && event.numDone < start!.manifest.frames.length) break;
        shownMs = now();
        logger.info(progressLine(event.numDone, start!, (shownMs - beganMs) / 1000));
        break;
      case "interrupted":
        logger.warning(
          `interrupted with the pairs of ${event.numDone} of ${start!.manifest.frames.length} frames. The same command continues`,
        );
        return true;
      case "end":
        logger.info(describeChange(event.summary, config));
        logger.info(describeSet(event.summary, start!, config));
    }
  }
  return false;
}

const megabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

function announce({ manifest, numDone, numMissingShards, device }: Start, config: PairsConfig, logger: Logger): void {
  const { frames, numNoises, solver, grid, numSteps, paddedDims, precision } = manifest;
  logger.info(
    `pairs of ${config.teacherPath}: ${frames.length} frames x ${numNoises} noises, ${megabytes(numBytesOf(manifest))} in ${config.output}`,
  );
  logger.info(
    `${numSteps} ${solver} steps on a ${grid} grid, padded dims: ${paddedDims}, on ${device} in ${precision}`,
  );
  if (numDone === 0) return;
  logger.info(
    numMissingShards === 0
      ? "all pairs are there already"
      : `continuing: the pairs of ${numDone} frames are there, ${numMissingShards} of ${numShards(manifest)} shards are missing`,
  );
}

function progressLine(numDone: number, { manifest, numDone: numBefore }: Start, seconds: number): string {
  const { frames, numNoises } = manifest;
  const perSecond = (numDone - numBefore) / seconds;
  const left = formatDuration((frames.length - numDone) / perSecond);
  const percent = Math.floor((100 * numDone) / frames.length);
  return `${percent}% ${numDone}/${frames.length} frames  ${(perSecond * numNoises).toFixed(1)} pairs/s  ETA ${left}`;
}

/** What twice the steps would change. Below 2 % the solver has converged (rectified-flow practice: 1 to 2 %). */
function describeChange({ changeAtTwiceTheSteps: change }: PairSummary, { numSteps }: PairsConfig): string {
  if (change === undefined) return "the teacher's actions do not depend on the noise: there is nothing to straighten";
  const verdict =
    change < 0.02
      ? "the pairs are the teacher's own flow"
      : "the pairs are those of this solver, as a policy deployed with it acts. For the teacher's own flow take more steps, heun or data_dense";
  return `twice the ${numSteps} steps would change actions by ${(100 * change).toFixed(1)} % of their spread over noises: ${verdict}`;
}

function describeSet({ meanDistance, largestDistance }: PairSummary, { manifest }: Start, { output }: PairsConfig) {
  const numPairs = manifest.frames.length * manifest.numNoises;
  return (
    `${numPairs} pairs in ${numShards(manifest)} shards, distance of noise and actions ${meanDistance.toFixed(3)} on average ` +
    `and ${largestDistance.toFixed(3)} at most. Learn from them with reflow train --reflow.pairs=${output}`
  );
}
