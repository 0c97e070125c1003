import { setImmediate as nextTurn } from "node:timers/promises";
import {
  initialVelocityDeltas,
  type PathShape,
  type PathTrace,
  pathShapes,
  type SolvedSamples,
  solvedSamples,
  tracePaths,
  transportCosts,
  uniformTimeLosses,
  velocityDeviation,
} from "../../eval/index.js";
import { dataDenseGrid, heun } from "../../flow/index.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { repeatInterleave, scope, tensorFromHost, toDevice } from "../../torch/index.js";
import { cropLast, hostRows, joinRows } from "./host-rows.js";
import type { ObservedFlow } from "./observed-flow.js";

/** Letters: `O` observations, `K` noises for each, `A` action steps, `M` action dimensions, padded. */
export interface FlowRequest {
  /** standard normal float32 `[O * K, A, M]`, the noises of one observation next to each other */
  readonly noise: HostArray;
  readonly numNoises: number;
  /** real action dimensions */
  readonly numDims: number;
  readonly numStepsList: readonly number[];
  /** steps of Heun's method for the converged samples */
  readonly referenceSteps: number;
  /** Euler steps of the paths whose shape is measured, and times of the loss */
  readonly pathSteps: number;
  /** how many chunks are computed at once, at least those of one observation */
  readonly chunksAtOnce: number;
  /** the actions `[O * K, A, M]` that the flow was trained to reach from those noises, if they are known */
  readonly trainedOn: "demonstrations" | HostArray | undefined;
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: ((numDone: number, numObservations: number) => void) | undefined;
}

/** What the network was asked for, so that everything else can be computed without it. */
export interface MeasuredFlow {
  /** `[O, K, A, numDims]` */
  readonly samples: SolvedSamples;
  /** the converged samples in full width, `[O * K, A, M]` */
  readonly pairs: HostArray;
  /** one per path, `O * K` */
  readonly shapes: readonly PathShape[];
  /** `|u - D|^2` of each path by step, from time 1 on */
  readonly deviations: readonly (readonly number[])[];
  readonly initialDeltas: readonly number[];
  /** `|noise - demonstration|^2`; empty without demonstrations */
  readonly drawnCosts: readonly number[];
  /** loss and cost of the pairs that the flow was trained on; empty if they are not known */
  readonly trainedLosses: readonly number[];
  readonly trainedCosts: readonly number[];
}

type Group = Omit<MeasuredFlow, "samples"> & { readonly fewSteps: readonly HostArray[] };

/**
 * Asks a flow for samples, paths and losses from given noises, some observations at a time.
 *
 * @returns undefined if the signal ended it
 * @throws ConfigError where the flow gives what is no number
 */
export async function measureFlow(flow: ObservedFlow, request: FlowRequest): Promise<MeasuredFlow | undefined> {
  const { numNoises, chunksAtOnce, numStepsList, numDims, noise } = request;
  const numObservations = noise.shape[0]! / numNoises;
  const groupSize = Math.max(1, Math.floor(chunksAtOnce / numNoises));
  const groups: Group[] = [];
  request.onProgress?.(0, numObservations);
  for (let from = 0; from < numObservations; from += groupSize) {
    if (request.signal?.aborted) return undefined;
    const to = Math.min(from + groupSize, numObservations);
    groups.push(measureGroup(flow, from, to, request));
    request.onProgress?.(to, numObservations);
    await nextTurn(); // signals arrive here
  }
  const all = <T>(part: (group: Group) => readonly T[]): T[] => groups.flatMap(part);
  const pairs = joinRows(groups.map((group) => group.pairs));
  const byObservation = (chunks: HostArray): HostArray => {
    const { shape, data } = cropLast(chunks, numDims);
    return hostArray("float32", [numObservations, numNoises, ...shape.slice(1)], data);
  };
  return {
    samples: {
      converged: byObservation(pairs),
      fewSteps: numStepsList.map((numSteps, i) => ({
        numSteps,
        samples: byObservation(joinRows(groups.map(({ fewSteps }) => fewSteps[i]!))),
      })),
    },
    pairs,
    shapes: all(({ shapes }) => shapes),
    deviations: all(({ deviations }) => deviations),
    initialDeltas: all(({ initialDeltas }) => initialDeltas),
    drawnCosts: all(({ drawnCosts }) => drawnCosts),
    trainedLosses: all(({ trainedLosses }) => trainedLosses),
    trainedCosts: all(({ trainedCosts }) => trainedCosts),
  };
}

function measureGroup(flow: ObservedFlow, from: number, to: number, request: FlowRequest): Group {
  const { numNoises, numDims, numStepsList, referenceSteps, pathSteps, trainedOn } = request;
  const drawn = hostRows(request.noise, from * numNoises, to * numNoises);
  const onChunks = ({ shape, data }: HostArray): HostArray =>
    hostArray("float32", [...drawn.shape.slice(0, 2), shape.at(-1)!], data);
  return flow.lend(from, to, numNoises, (field, demonstrations) =>
    scope(() => {
      const noise = toDevice(tensorFromHost(drawn), flow.device);
      const reference = { solver: heun, numSteps: referenceSteps, grid: dataDenseGrid };
      const { converged, fewSteps } = solvedSamples(field, noise, { numNoises, numStepsList, reference });
      const trace = tracePaths(field, noise, { numSteps: pathSteps, numDims });
      const demonstrated = demonstrations && repeatInterleave(demonstrations, numNoises, 0);
      const target =
        trainedOn === "demonstrations"
          ? demonstrated
          : trainedOn && toDevice(tensorFromHost(hostRows(trainedOn, from * numNoises, to * numNoises)), flow.device);
      const costsTo = (actions: HostArray): number[] => transportCosts(trace.noise, cropLast(actions, numDims));
      return {
        pairs: onChunks(converged),
        fewSteps: fewSteps.map(({ samples }) => onChunks(samples)),
        shapes: pathShapes(trace),
        deviations: deviationsOf(trace),
        initialDeltas: initialVelocityDeltas(trace, cropLast(onChunks(converged), numDims)),
        drawnCosts: demonstrated ? costsTo(demonstrated.toHost()) : [],
        trainedLosses: target ? uniformTimeLosses(field, noise, target, { numTimes: pathSteps, numDims }) : [],
        trainedCosts: target ? costsTo(target.toHost()) : [],
      };
    }),
  );
}

/** `|u - D|^2` by step, for each path alone. */
function deviationsOf({ numSteps, noise, velocities }: PathTrace): number[][] {
  const [numPaths, ...chunk] = noise.shape as [number, number, number];
  const size = chunk[0] * chunk[1];
  return Array.from({ length: numPaths }, (_, path) => {
    const own = new Float32Array(numSteps * size);
    for (let k = 0; k < numSteps; k++) {
      const start = (k * numPaths + path) * size;
      own.set((velocities.data as Float32Array).subarray(start, start + size), k * size);
    }
    return velocityDeviation({
      numSteps,
      noise: hostRows(noise, path, path + 1),
      velocities: hostArray("float32", [numSteps, 1, ...chunk], own),
    }).map(({ mean }) => mean);
  });
}
