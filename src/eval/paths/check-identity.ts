import { ConfigError } from "../../support/errors.js";

/** Four means over the same observations, each per entry of a chunk. */
export interface IdentityTerms {
  /** V: the mean of `uniformTimeLosses` on the coupling that the flow was trained on */
  readonly loss: number;
  /** S of the flow */
  readonly straightness: number;
  /** the mean of `transportCosts` of that coupling */
  readonly costBefore: number;
  /** of the flow: its noise and where it is carried */
  readonly costAfter: number;
}

export interface IdentityCheck {
  /** `costBefore - costAfter`, which `V + S` is for an exact field */
  readonly costDrop: number;
  /** `V + S - costDrop`: 0 for an exact field, else its squared error plus what it changes in the energy of the paths */
  readonly excess: number;
  /** `excess / V`, the share of the loss that is not the uncertainty of the actions; undefined for no loss */
  readonly excessShare: number | undefined;
}

/**
 * Sets loss, straightness and costs against each other: `V + S = E|noise - a|^2 - E|D|^2` holds for the exact velocity of a
 * coupling. The only way to judge a loss without knowing its floor.
 *
 * For another field the excess is `E|u - v|^2 + (energy of its paths - energy of the exact ones)`. The second part may be below 0:
 * an excess far from 0 proves an error, one near 0 does not prove that there is none.
 *
 * The excess is a small difference of large numbers: give it an interval (`bootstrapInterval`), and enough steps, as S of few
 * steps is too small.
 *
 * @throws ConfigError for terms that are below 0 or no numbers
 *
 * Reference: Liu et al. 2022, arXiv:2209.03003, section 3 (straight couplings).
 */
export function checkIdentity(terms: IdentityTerms): IdentityCheck {
  for (const [name, value] of Object.entries(terms)) {
    if (value >= 0 && Number.isFinite(value)) continue;
    throw new ConfigError("eval.checkIdentity", `expected ${name} to be a number of at least 0, got ${value}`);
  }
  const { loss, straightness, costBefore, costAfter } = terms;
  const costDrop = costBefore - costAfter;
  const excess = loss + straightness - costDrop;
  return { costDrop, excess, excessShare: loss === 0 ? undefined : excess / loss };
}
