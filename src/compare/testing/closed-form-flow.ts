/** Flows that are known in closed form as policies of a comparison: each entry of a chunk is one coordinate. */
import type { VelocityField } from "../../flow/index.js";
import { hostArray } from "../../support/host-array.js";
import { tensorFromHost } from "../../torch/index.js";
import type { ComparedPolicy } from "../comparison.js";
import type { OfflineRequest } from "../offline/compare-offline.js";
import type { OpenedFlow } from "../offline/observed-flow.js";

export interface ClosedFormPolicy extends ComparedPolicy {
  readonly field: VelocityField;
}

export const closedFormPolicy = (
  name: string,
  field: VelocityField,
  round = 1,
  isDistilled = false,
): ClosedFormPolicy => ({
  ...{ name, field, round, isDistilled },
  folder: `/policies/${name}`,
});

/** One robot unit is `UNIT` normalised ones. */
export const UNIT = 3;

/**
 * @param demonstrations one entry per observation; none if left out
 */
export const openClosedForm = ({ field }: ClosedFormPolicy, demonstrations?: Float32Array): OpenedFlow => ({
  flow: {
    device: "cpu",
    lend: (from, to, _numNoises, use) =>
      use(
        field,
        demonstrations && tensorFromHost(hostArray("float32", [to - from, 1, 1], demonstrations.slice(from, to))),
      ),
  },
  toRobotUnits: ({ shape, data }) =>
    hostArray(
      "float32",
      shape,
      (data as Float32Array).map((value) => value / UNIT),
    ),
  dispose: () => {},
});

/** A comparison of such policies, of one entry per chunk. */
export const closedFormRequest = (
  policies: readonly ClosedFormPolicy[],
  settings: Partial<OfflineRequest>,
  demonstrations?: Float32Array,
): OfflineRequest => ({
  policies,
  open: async (policy) => openClosedForm(policy as ClosedFormPolicy, demonstrations),
  numObservations: 30,
  numNoises: 32,
  chunk: { chunkSize: 1, maxActionDim: 1, actionDim: 1 },
  numStepsList: [1, 2, 5],
  deployedSteps: 10,
  numActionSteps: 1,
  referenceSteps: 100,
  pathSteps: 100,
  chunksAtOnce: 4096,
  seed: 1,
  ...settings,
});
