/** How much a round of training needs: settings by the round of the flow that it starts from. */

export interface RoundPreset {
  readonly optimizerLr: number;
  readonly schedulerWarmupSteps: number;
  readonly optimizerGradClipNorm: number;
}

/** Batch size of every round. */
export const DEFAULT_BATCH_SIZE = 32;

/** Steps of a run that is not told how many: those of a first flow, and of every later round. */
export const defaultSteps = (isReflow: boolean): number => (isReflow ? 15_000 : 30_000);

const LEARNING_RATES = [1e-4, 5e-5, 2.5e-5, 1e-5] as const;

/**
 * The preset of the round that starts from a k-RF; k = 0 is a base model without a flow. Halving the rate with each round
 * is a fine-tuning habit, not part of the method (whose authors keep one rate).
 */
export const roundPreset = (k: number): RoundPreset => ({
  optimizerLr: LEARNING_RATES[Math.min(k, LEARNING_RATES.length - 1)]!,
  schedulerWarmupSteps: k === 0 ? 1000 : 500,
  optimizerGradClipNorm: 10,
});
