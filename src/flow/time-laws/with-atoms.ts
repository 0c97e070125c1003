import { ConfigError } from "../../support/errors.js";
import { expectNumber } from "../expect-number.js";
import type { TimeLaw } from "./time-law.js";

/** A law of which a share of the samples goes to single times instead, to each of them alike. */
export interface TimeMixture {
  readonly name: string;
  readonly law: TimeLaw;
  readonly atoms: readonly number[];
  readonly shareAtAtoms: number;
}

/**
 * A law with mass on single times. Time 1 is the only one that a one-step policy ever sees, and no continuous law gives
 * it any mass; {1, 1/2} are those of two Euler steps. A share of 1 at time 1 is distillation to one step.
 *
 * @param atoms distinct times above 0 and at most 1
 * @param share of samples at the atoms together, in [0, 1]
 * @throws ConfigError for no atom, atoms out of range or twice, and a share out of range
 *
 * Reference: Liu et al. 2023, arXiv:2309.06380 (InstaFlow), whose distillation has all of its mass at time 1.
 */
export function withAtoms(law: TimeLaw, atoms: readonly number[], share: number): TimeMixture {
  if (atoms.length === 0 || new Set(atoms).size !== atoms.length) {
    throw new ConfigError(
      "flow.time",
      `expected atoms to be a list of at least one time, each once, got [${atoms.join(", ")}]`,
    );
  }
  for (const atom of atoms) expectNumber("flow.time", "an atom", atom, atom > 0 && atom <= 1, "above 0 and at most 1");
  expectNumber("flow.time", "the share at atoms", share, share >= 0 && share <= 1, "a share from 0 to 1");
  return { name: law.name, law, atoms, shareAtAtoms: share };
}
