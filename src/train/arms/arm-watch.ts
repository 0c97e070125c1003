import type { Tensor } from "../../torch/index.js";
import { isCuredBySmallerRate } from "../health/finding.js";
import { describeFinding, type Finding, HealthWatch, WeightProbe } from "../health/index.js";
import type { Arm } from "./arm.js";

/** Updates between measurements of the weights' movement. */
const PROBE_EVERY = 10;

/** What one step of an arm was like. */
export interface ArmStep {
  readonly arm: string;
  readonly loss: number;
  /** before clipping */
  readonly gradNorm: number;
  readonly learningRate: number;
}

/** Follows the numbers of an arm and says when it is lost. */
export class ArmWatch {
  readonly #watch: HealthWatch;
  readonly #probe: WeightProbe;

  constructor({ config, schedule, optimizer }: Arm) {
    const weights: readonly Tensor[] = [...optimizer.masters().values()];
    this.#watch = new HealthWatch({ numSteps: config.steps, schedule });
    this.#probe = new WeightProbe({ weights });
  }

  /** Call it before the update of a step, counted from 0. */
  beforeUpdate(step: number): void {
    if (step % PROBE_EVERY === 0) this.#probe.remember();
  }

  /** @param step counted as done */
  afterUpdate(step: number, { loss, gradNorm, learningRate }: ArmStep): readonly Finding[] {
    return this.#watch.observe({ step, loss, gradNorm, learningRate, weights: this.#probe.measure() });
  }
}

/** Why an arm is not worth going on with: a critical finding that a smaller learning rate cures; undefined if none is. */
export function lostBecause(findings: readonly Finding[]): string | undefined {
  const worst = findings.find((finding) => finding.severity === "critical" && isCuredBySmallerRate(finding));
  return worst && describeFinding(worst);
}
