import type { Check } from "./check.js";
import { gradientJump } from "./gradient-jump.js";
import { lossCollapsed } from "./loss-collapsed.js";
import { lossRisen } from "./loss-risen.js";
import { lossSwings } from "./loss-swings.js";
import { overflowAhead } from "./overflow-ahead.js";
import { driftFromTeacher, noiseIgnored, spreadLost } from "./sample-agreement.js";
import { frozenWeights, standstill, updateTooLarge } from "./weight-movement.js";

/** After a step that gave finite numbers. */
export const STEP_CHECKS: readonly Check[] = [
  overflowAhead,
  updateTooLarge,
  lossRisen,
  gradientJump,
  lossSwings,
  frozenWeights,
  standstill,
  lossCollapsed,
];

/** After an evaluation. */
export const EVALUATION_CHECKS: readonly Check[] = [driftFromTeacher, noiseIgnored, spreadLost];
