import { sampleNoise } from "../../flow/index.js";
import { toTargetActions } from "../../policy/model-input.js";
import type { SmolVLAConfig } from "../../smolvla/config.js";
import { repeatInterleave, toDevice } from "../../torch/index.js";
import type { Coupling } from "./coupling.js";

/**
 * Demonstrated chunks, each with noises that are drawn for it: the coupling of ordinary flow matching.
 *
 * Padded dimensions are 0 and steps beyond the episode's end repeat the last action, as in LeRobot 0.4.
 */
export function demonstrations(config: SmolVLAConfig, device: string, numNoises: number): Coupling {
  return {
    numNoises,
    couple: (batch, _context, generator) => {
      const actions = repeatInterleave(toTargetActions(batch.arrays, config, device), numNoises, 0);
      return { noise: toDevice(sampleNoise(actions.shape as [number, number, number], generator), device), actions };
    },
    dispose: () => {},
  };
}
