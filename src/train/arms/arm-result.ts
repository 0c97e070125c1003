import type { Finding } from "../health/index.js";
import type { ArmsEvent } from "./train-arms.js";

export interface Measurement {
  /** steps done */
  readonly step: number;
  /** by the names of `AgreementProbe.measure`, and `loss` of flow matching */
  readonly metrics: Readonly<Record<string, number>>;
}

/** What became of one arm. */
export interface ArmResult {
  readonly name: string;
  /** of every step that was done */
  readonly losses: readonly number[];
  readonly measurements: readonly Measurement[];
  readonly findings: readonly Finding[];
  /** why it was stopped, if it was */
  readonly diverged: { readonly step: number; readonly message: string } | undefined;
}

/** Gathers the results of arms from their events. */
export class ArmResults {
  readonly #results: ReadonlyMap<string, { -readonly [Key in keyof ArmResult]: ArmResult[Key] }>;

  constructor(names: readonly string[]) {
    this.#results = new Map(
      names.map((name) => [name, { name, losses: [], measurements: [], findings: [], diverged: undefined }]),
    );
  }

  take(event: ArmsEvent): void {
    if (event.kind === "interrupted") return;
    if (event.kind === "step") {
      for (const { arm, loss } of event.arms) (this.#results.get(arm)!.losses as number[]).push(loss);
      return;
    }
    const result = this.#results.get(event.arm)!;
    const { step } = event;
    if (event.kind === "finding") result.findings = [...result.findings, event.finding];
    else if (event.kind === "diverged") result.diverged = { step, message: event.message };
    else result.measurements = [...result.measurements, { step, metrics: event.metrics }];
  }

  /** In the order of the names. */
  get all(): readonly ArmResult[] {
    return [...this.#results.values()];
  }
}
