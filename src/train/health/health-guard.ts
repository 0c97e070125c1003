import { z } from "zod";
import { parseWithSchema } from "../../support/parse-with-schema.js";
import { describeFinding, type Finding, isCuredBySmallerRate } from "./finding.js";

/**
 * What becomes of a finding:
 *
 * - `off`: there is no watch, and nothing to decide.
 * - `warn`: it is told and recorded.
 * - `stop`: a critical one ends the run.
 * - `backoff`: after a critical one that a smaller learning rate cures, the run goes back to its last good checkpoint, or to
 *   its start, and goes on with half the rate; when that has not helped three times, and for other critical ones, it ends.
 */
export const HEALTH_MODES = ["off", "warn", "stop", "backoff"] as const;
export type HealthMode = (typeof HEALTH_MODES)[number];

const FACTOR = 0.5;
const MAX_BACKOFFS = 3;

export type HealthAction =
  | { readonly kind: "continue" }
  | {
      readonly kind: "back-off";
      /** go back to a checkpoint of at most this many steps, or to the start */
      readonly lastGoodStep: number;
      /** by which the run's own learning rates are multiplied from now on, earlier times included */
      readonly learningRateFactor: number;
      readonly message: string;
    }
  | {
      readonly kind: "stop";
      readonly lastGoodStep: number;
      /** for the error that ends the run */
      readonly message: string;
    };

const STATE = z.strictObject({ version: z.literal(1), numBackoffs: z.int().min(0).max(MAX_BACKOFFS) });

/**
 * Turns findings into what the run is to do. Its state belongs to the run, not to a checkpoint: going back must not make it
 * forget how often it went back.
 */
export class HealthGuard {
  readonly mode: HealthMode;
  #numBackoffs = 0;

  constructor(mode: HealthMode) {
    this.mode = mode;
  }

  /** @throws ConfigError naming what in the state is not as `toJSON` gives it */
  static fromJSON(state: unknown, mode: HealthMode, where: string): HealthGuard {
    const guard = new HealthGuard(mode);
    guard.#numBackoffs = parseWithSchema(STATE, state, where).numBackoffs;
    return guard;
  }

  toJSON(): z.infer<typeof STATE> {
    return { version: 1, numBackoffs: this.#numBackoffs };
  }

  /** By which the run's own learning rates are multiplied. */
  get learningRateFactor(): number {
    return FACTOR ** this.#numBackoffs;
  }

  /** Decides about the findings of a step; of several critical ones, the one that ends the run counts. */
  decide(findings: readonly Finding[]): HealthAction {
    const critical = findings.filter(({ severity }) => severity === "critical");
    const [worst] = [...critical].sort((a, b) => Number(isCuredBySmallerRate(a)) - Number(isCuredBySmallerRate(b)));
    if (worst === undefined || this.mode === "off" || this.mode === "warn") return { kind: "continue" };
    const lastGoodStep = Math.min(...critical.map((finding) => finding.lastGoodStep));
    const message = describeFinding(worst);
    if (this.mode === "stop" || !isCuredBySmallerRate(worst)) return { kind: "stop", lastGoodStep, message };
    if (this.#numBackoffs >= MAX_BACKOFFS) {
      const tries = `${message}. The learning rate was halved ${MAX_BACKOFFS} times already`;
      return { kind: "stop", lastGoodStep, message: tries };
    }
    this.#numBackoffs += 1;
    return { kind: "back-off", lastGoodStep, learningRateFactor: this.learningRateFactor, message };
  }
}
