import { collate, type DatasetItem } from "../../data/index.js";
import { cropActions, toModelInput, toTargetActions } from "../../policy/model-input.js";
import { runPostprocessor, runPreprocessor } from "../../policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../../policy/smolvla-policy.js";
import { repeatPrefix } from "../../smolvla/repeat-prefix.js";
import { type HostArray, hostArray } from "../../support/host-array.js";
import { noGrad, scope, tensorFromHost } from "../../torch/index.js";
import type { OpenedFlow } from "./observed-flow.js";

/**
 * A policy's flow over frames of a dataset. Observations are encoded once for everything that is measured on them.
 *
 * @param items raw, with the demonstrated actions of a chunk, as a dataset that was opened with `chunkSize` gives them
 */
export function policyFlow(policy: SmolVLAPolicy, items: readonly DatasetItem[]): OpenedFlow {
  const { model, config, device, processors, tokenizer } = policy;
  return {
    flow: {
      device,
      lend: (from, to, numNoises, use) =>
        noGrad(() =>
          scope(() => {
            const { arrays } = runPreprocessor(processors.preprocessor, collate(items.slice(from, to)), tokenizer);
            const prefix = scope(() =>
              repeatPrefix(model.encodePrefix(toModelInput(arrays, config, device)), numNoises),
            );
            return use((x, time) => model.velocity(prefix, x, time), toTargetActions(arrays, config, device));
          }),
        ),
    },
    toRobotUnits: (samples) => toRobotUnits(policy, samples),
    dispose: () => policy.dispose(),
  };
}

/** Normalised samples `[O, K, A, M]` as the robot gets them. */
function toRobotUnits({ processors, config }: SmolVLAPolicy, samples: HostArray): HostArray {
  const [O, K, ...chunk] = samples.shape as [number, number, number, number];
  const chunks = hostArray(samples.dtype, [O * K, ...chunk], samples.data);
  const robot = runPostprocessor(
    processors.postprocessor,
    scope(() => cropActions(tensorFromHost(chunks), config).toHost()),
  );
  return hostArray(robot.dtype, samples.shape, robot.data);
}
