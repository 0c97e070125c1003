import type { Environment } from "../env/index.js";
import { actionDim, imageFeatureNames, type SmolVLAConfig } from "../smolvla/config.js";
import { ConfigError } from "../support/errors.js";

/**
 * Whether a policy can drive a world: every camera it looks at is there (beside its empty ones), state and action have its
 * sizes.
 *
 * @param renameMap world's name -> policy's name, from the policy's own processors
 * @throws ConfigError naming what the world has and what the policy wants, for everything that differs
 */
export function expectFit(
  config: SmolVLAConfig,
  { id, features }: Environment,
  renameMap: Readonly<Record<string, string>> = {},
): void {
  const cameras = features.cameras.map(({ name }) => renameMap[name] ?? name);
  const wanted = imageFeatureNames(config);
  const missing = wanted.filter((name) => !cameras.includes(name));
  const state = config.inputFeatures["observation.state"]?.shape[0];
  const [numStates, numActions] = [features.stateNames.length, features.actionNames.length];
  const problems = [
    ...(missing.length > config.emptyCameras || missing.length === wanted.length
      ? [`cameras: the policy looks at ${wanted.join(", ")}, the world has ${cameras.join(", ") || "none"}`]
      : []),
    ...(state === numStates
      ? []
      : [
          `observation.state: the policy has ${state ?? "no"} entries, the world ${numStates} (${features.stateNames.join(", ")})`,
        ]),
    ...(actionDim(config) === numActions
      ? []
      : [
          `action: the policy has ${actionDim(config)} entries, the world ${numActions} (${features.actionNames.join(", ")})`,
        ]),
  ];
  if (problems.length === 0) return;
  throw new ConfigError(
    "env",
    `expected a policy for ${id}, got one whose features do not fit:\n${problems.map((problem) => `  - ${problem}`).join("\n")}`,
  );
}
