import { z } from "zod";
import { ConfigError, type ConfigProblem } from "../support/errors.js";
import { parseWithSchema } from "../support/parse-with-schema.js";
import type { OptimizerSettings, SchedulerSettings, TrainConfig } from "./config.js";
import { camelKeys } from "./config-keys.js";
import { isPresetField } from "./config-policy-fields.js";
import { OPTIMIZER, SCHEDULER } from "./config-schema.js";
import { DEFAULT_BATCH_SIZE, defaultSteps, roundPreset } from "./round-preset.js";

/** The part of a policy's `config.json` that says how it likes to be trained, with SmolVLA's defaults. */
const PRESET = z.object({
  optimizer_lr: OPTIMIZER.shape.lr.unwrap().default(1e-4),
  optimizer_betas: OPTIMIZER.shape.betas.unwrap().default([0.9, 0.95]),
  optimizer_eps: OPTIMIZER.shape.eps.unwrap().default(1e-8),
  optimizer_weight_decay: OPTIMIZER.shape.weight_decay.unwrap().default(1e-10),
  optimizer_grad_clip_norm: OPTIMIZER.shape.grad_clip_norm.unwrap().default(10),
  scheduler_warmup_steps: SCHEDULER.shape.num_warmup_steps.default(1000),
  scheduler_decay_steps: SCHEDULER.shape.num_decay_steps.default(30_000),
  scheduler_decay_lr: SCHEDULER.shape.decay_lr.default(2.5e-6),
});

/**
 * What is wrong with a schedule whose final rate is above its peak, or undefined. LeRobot accepts it, and its cosine then
 * raises the rate over the whole run: a peak of 1e-7 with the default final rate of 2.5e-6 ends 25 times higher.
 */
export function risingDecayProblem(
  peak: { readonly path: string; readonly value: number },
  decay: { readonly path: string; readonly value: number },
): ConfigProblem | undefined {
  if (peak.value >= decay.value) return undefined;
  return {
    path: decay.path,
    message:
      `expected at most ${peak.path} (${peak.value}), got ${decay.value}. The cosine "decay" would raise the learning ` +
      `rate from ${peak.value} to ${decay.value} during the run (2.5e-6 is LeRobot's default for the final rate). ` +
      `Set --${decay.path} to ${peak.value} or less`,
  };
}

/**
 * Optimizer and schedule that a policy's own fields (`optimizer_*`, `scheduler_*`) ask for.
 *
 * @param policyFields the policy's `config.json`, after overrides; missing fields take SmolVLA's defaults
 * @throws ConfigError for values out of range, and for a schedule that would rise instead of decay
 *
 * Reference: `get_optimizer_preset` and `get_scheduler_preset` of LeRobot 0.4.4, `configuration_smolvla.py`.
 */
export function trainingPreset(policyFields: Readonly<Record<string, unknown>>): {
  readonly optimizer: OptimizerSettings;
  readonly scheduler: SchedulerSettings;
} {
  const fields = parseWithSchema(PRESET, policyFields, "training preset in the policy's config");
  const problem = risingDecayProblem(
    { path: "policy.optimizer_lr", value: fields.optimizer_lr },
    { path: "policy.scheduler_decay_lr", value: fields.scheduler_decay_lr },
  );
  if (problem) throw new ConfigError("training config", [problem]);
  return {
    optimizer: camelKeys({
      type: "adamw" as const,
      lr: fields.optimizer_lr,
      weight_decay: fields.optimizer_weight_decay,
      grad_clip_norm: fields.optimizer_grad_clip_norm,
      betas: fields.optimizer_betas,
      eps: fields.optimizer_eps,
    }),
    scheduler: camelKeys({
      type: "cosine_decay_with_warmup" as const,
      num_warmup_steps: fields.scheduler_warmup_steps,
      num_decay_steps: fields.scheduler_decay_steps,
      peak_lr: fields.optimizer_lr,
      decay_lr: fields.scheduler_decay_lr,
    }),
  };
}

/** A configuration with the optimizer and schedule that the run follows. */
export type SettledTrainConfig = TrainConfig & {
  readonly optimizer: OptimizerSettings;
  readonly scheduler: SchedulerSettings;
};

/**
 * The fields of a policy's `config.json` from which a round is trained: a reflow round has a preset of its own, since its
 * teacher's fields say how the teacher was trained; what the run's settings say comes first.
 *
 * @param policyFields the policy's `config.json`, after overrides
 * @param teacherRound k of the flow that a reflow run starts from; undefined for flow matching, which takes the policy's fields
 */
export function fieldsOfRound(
  { policy, steps }: TrainConfig,
  policyFields: Readonly<Record<string, unknown>>,
  teacherRound: number | undefined,
): Readonly<Record<string, unknown>> {
  if (teacherRound === undefined) return policyFields;
  const preset = roundPreset(teacherRound);
  return {
    ...policyFields,
    optimizer_lr: preset.optimizerLr,
    optimizer_grad_clip_norm: preset.optimizerGradClipNorm,
    scheduler_warmup_steps: preset.schedulerWarmupSteps,
    scheduler_decay_steps: steps,
    scheduler_decay_lr: PRESET.shape.scheduler_decay_lr.parse(undefined),
    ...Object.fromEntries(Object.entries(policy.fields).filter(([name]) => isPresetField(name))),
  };
}

/**
 * The configuration with optimizer and schedule filled in: the preset of the policy or round, or those of the configuration
 * itself if presets are switched off, or if a run continues that had settled on them.
 *
 * @param policyFields the policy's `config.json`, after overrides
 * @param teacherRound see `fieldsOfRound`
 */
export function withTrainingPreset(
  config: TrainConfig,
  policyFields: Readonly<Record<string, unknown>>,
  teacherRound?: number,
): SettledTrainConfig {
  const { optimizer, scheduler } = config;
  const keepsItsOwn = config.resume || !config.usePolicyTrainingPreset;
  if (keepsItsOwn && optimizer !== undefined && scheduler !== undefined) return { ...config, optimizer, scheduler };
  return { ...config, ...trainingPreset(fieldsOfRound(config, policyFields, teacherRound)) };
}

/**
 * The preset that a run took and what of it the run's settings replace, as a sentence for its start.
 *
 * @param teacherRound k of the flow that a reflow run starts from; undefined for flow matching
 */
export function describePreset(config: SettledTrainConfig, teacherRound: number | undefined): string {
  const { optimizer, scheduler, batchSize, steps, policy } = config;
  const k = teacherRound ?? 0;
  const preset = roundPreset(k);
  const values = [
    ["optimizer_lr", preset.optimizerLr, optimizer.lr],
    ["scheduler_warmup_steps", preset.schedulerWarmupSteps, scheduler.numWarmupSteps],
    ["optimizer_grad_clip_norm", preset.optimizerGradClipNorm, optimizer.gradClipNorm],
    ["batch_size", DEFAULT_BATCH_SIZE, batchSize],
    ["steps", defaultSteps(policy.useReflow), steps],
  ] as const;
  const listed = values.map(([name, value]) => `${name}=${value}`).join(", ");
  const replaced = values.filter(([, value, actual]) => value !== actual);
  const overridden = replaced.map(([name, value, actual]) => `${name}=${actual} (preset ${value})`).join(", ");
  const round = teacherRound === undefined ? "a first flow (k = 0)" : `a teacher with k = ${k}`;
  return `preset for ${round}: ${listed}. ${overridden ? `Overridden: ${overridden}` : "Nothing overridden"}`;
}
