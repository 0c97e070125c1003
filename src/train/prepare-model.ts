import { addAdapter } from "../smolvla/lora-adapter.js";
import { EXPERT_TARGETS, type LoraConfig } from "../smolvla/lora-config.js";
import type { SmolVLA } from "../smolvla/smolvla.js";
import { deriveSeed } from "../support/derive-seed.js";
import { Generator } from "../torch/index.js";
import type { PeftSettings, TrainConfig } from "./config.js";

/** Gives the network that a run trains what the run's settings ask for: an adapter, recomputed layers. */
export function prepareModel(model: SmolVLA, { peft, gradientCheckpointing }: TrainConfig, seed: number): void {
  model.expert.recomputesLayers = gradientCheckpointing;
  if (peft === undefined) return;
  using generator = new Generator(deriveSeed(seed, "adapter"));
  addAdapter(model, loraConfig(peft), generator);
}

const loraConfig = ({ r, loraAlpha, useRslora, targetModules, fullTrainingModules }: PeftSettings): LoraConfig => ({
  rank: r,
  alpha: loraAlpha ?? r,
  useRslora,
  targetModules: targetModules ?? EXPERT_TARGETS,
  modulesToSave: fullTrainingModules ?? [],
});
