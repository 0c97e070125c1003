import { defaultShareAtAtoms, parseTrainConfig, type TimeSettings, type TrainConfig } from "./config.js";
import { snakeKeys, snakeSection } from "./config-keys.js";

/**
 * A resolved configuration as plain JSON with the names of files and command lines, from which `trainConfigFromJson`
 * gives back the same configuration.
 */
export function trainConfigToJson(config: TrainConfig): Readonly<Record<string, unknown>> {
  const { fields, ...policy } = config.policy;
  return {
    ...snakeKeys(config),
    dataset: snakeKeys(config.dataset),
    policy: { ...snakeKeys(policy), ...fields },
    optimizer: config.optimizer ? snakeKeys(config.optimizer) : null,
    scheduler: config.scheduler ? snakeKeys(config.scheduler) : null,
    eval: snakeKeys(config.eval),
    wandb: snakeKeys(config.wandb),
    peft: config.peft ? snakeKeys(config.peft) : null,
    ema: snakeSection(config.ema),
    held_out: snakeSection(config.heldOut),
    flow_matching: {
      ...snakeSection(config.flowMatching),
      time: timeToJson(config.flowMatching.time, 0),
    },
    reflow: {
      ...snakeSection(config.reflow),
      time: timeToJson(config.reflow.time, defaultShareAtAtoms(config.reflow.stage)),
    },
  };
}

/** A share that the stage gives by itself stays open. */
const timeToJson = (time: TimeSettings, defaultShare: number): Record<string, unknown> => ({
  ...snakeSection(time),
  share_at_atoms: time.shareAtAtoms === defaultShare ? null : time.shareAtAtoms,
});

/** The configuration that `trainConfigToJson` was given. @throws ConfigError if the JSON was changed into nonsense */
export const trainConfigFromJson = (json: unknown): TrainConfig => parseTrainConfig(json).config;
