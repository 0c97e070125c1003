import { ConfigError } from "../../support/errors.js";
import { expectFinite } from "../samples/expect-samples.js";

/**
 * The number below which a share of the values lies, interpolated between neighbours: rank `share * (n - 1)`, counted from 0,
 * as NumPy's default.
 *
 * @param values in any order, at least one
 * @param share from 0 to 1
 * @throws ConfigError for no values, values that are no numbers, and other shares
 */
export function quantile(values: ArrayLike<number>, share: number): number {
  const where = "eval.quantile";
  if (values.length === 0) throw new ConfigError(where, "expected at least one value, got none");
  if (!(share >= 0 && share <= 1)) throw new ConfigError(where, `expected share to be from 0 to 1, got ${share}`);
  expectFinite(where, "values", values);
  const sorted = Float64Array.from(values).sort();
  const rank = share * (sorted.length - 1);
  const below = Math.floor(rank);
  const low = sorted[below]!;
  return low + (rank - below) * ((sorted[below + 1] ?? low) - low);
}
