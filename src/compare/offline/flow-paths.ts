import { findModes, tracePaths } from "../../eval/index.js";
import { type HostArray, numElements } from "../../support/host-array.js";
import { scope, tensorFromHost, toDevice } from "../../torch/index.js";
import type { FlowPaths } from "../comparison.js";
import { hostRows } from "./host-rows.js";
import type { ObservedFlow } from "./observed-flow.js";
import { type PrincipalPlane, principalPlane, project } from "./principal-plane.js";

/** Points of a drawn path beside its beginning, at most. */
const NUM_POINTS = 20;

/** The flows of all policies are drawn from the same noises of the same observation, seen in the same plane. */
export interface PathView {
  readonly observation: number;
  readonly plane: PrincipalPlane;
}

/**
 * Of the observations the one whose samples fall most clearly into two groups, where there is most to see.
 *
 * @param converged float32 `[O, K, A, M]` of the teacher
 */
export function choosePathView(converged: HostArray): PathView {
  const [numObservations, numNoises] = converged.shape as [number, number];
  const chunksOf = (observation: number): Float32Array[] => {
    const own = hostRows(converged, observation, observation + 1).data as Float32Array;
    const size = own.length / numNoises;
    return Array.from({ length: numNoises }, (_, k) => own.subarray(k * size, (k + 1) * size));
  };
  const clarity = Array.from(
    { length: numObservations },
    (_, o) => findModes(chunksOf(o), 0.5).silhouette ?? Number.NEGATIVE_INFINITY,
  );
  const observation = clarity.indexOf(Math.max(...clarity));
  return { observation, plane: principalPlane(chunksOf(observation)) };
}

/**
 * The ways of a flow in that view.
 *
 * @param noise float32 `[O * K, A, M]`, all of them
 * @param numSteps of Euler's method
 */
export function flowPaths(
  flow: ObservedFlow,
  { observation, plane }: PathView,
  {
    noise,
    numNoises,
    numDims,
    pathSteps,
  }: {
    readonly noise: HostArray;
    readonly numNoises: number;
    readonly numDims: number;
    readonly pathSteps: number;
  },
): FlowPaths {
  const own = hostRows(noise, observation * numNoises, (observation + 1) * numNoises);
  const trace = flow.lend(observation, observation + 1, numNoises, (field) =>
    scope(() => tracePaths(field, toDevice(tensorFromHost(own), flow.device), { numSteps: pathSteps, numDims })),
  );
  const size = numElements(trace.noise.shape.slice(1));
  const stride = Math.ceil(pathSteps / NUM_POINTS);
  const isDrawn = (step: number): boolean => step % stride === 0 || step === pathSteps;
  const points = Array.from({ length: numNoises }, (_, path) => {
    const state = Float64Array.from((trace.noise.data as Float32Array).subarray(path * size, (path + 1) * size));
    const drawn: [number, number][] = [project(plane, state)];
    for (let step = 1; step <= pathSteps; step++) {
      const start = ((step - 1) * numNoises + path) * size;
      for (let i = 0; i < size; i++) state[i]! -= (trace.velocities.data[start + i] as number) / pathSteps;
      if (isDrawn(step)) drawn.push(project(plane, state));
    }
    return drawn;
  });
  const steps = Array.from({ length: pathSteps + 1 }, (_, step) => step).filter(isDrawn);
  return { times: steps.map((step) => 1 - step / pathSteps), points };
}
