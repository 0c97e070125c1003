import { ConfigError } from "../../support/errors.js";
import { didYouMean } from "../../support/nearest-name.js";
import { betaLaw } from "./beta-law.js";
import { makeLogitNormalLaw } from "./logit-normal-law.js";
import { makeShiftLaw } from "./shift-law.js";
import type { TimeLaw } from "./time-law.js";
import { makeUShapedLaw, uShapedLaw } from "./u-shaped-law.js";
import { uniformLaw } from "./uniform-law.js";

/** The laws there are, each with its published parameters. */
export const TIME_LAWS: readonly TimeLaw[] = [betaLaw, uniformLaw, uShapedLaw, makeLogitNormalLaw(), makeShiftLaw()];

/**
 * A law with its published parameters.
 *
 * @throws ConfigError naming the laws there are
 */
export function timeLawByName(name: string): TimeLaw {
  const law = TIME_LAWS.find((candidate) => candidate.name === name);
  if (law !== undefined) return law;
  const names = TIME_LAWS.map((candidate) => candidate.name);
  throw new ConfigError("flow.time", `expected one of ${names.join(", ")}, got "${name}"${didYouMean(name, names)}`);
}

/** A law's name and the parameters of all laws; a law reads its own. */
export interface TimeLawSettings {
  readonly law: string;
  /** of `u_shaped`, above 0 and at most 100; 4 if left out */
  readonly steepness?: number;
  /** of `logit_normal`; 0 if left out */
  readonly mean?: number;
  /** of `logit_normal`, above 0; 1 if left out */
  readonly std?: number;
  /** of `shift`, above 0; 4 if left out */
  readonly alpha?: number;
}

/**
 * The law that settings describe.
 *
 * @throws ConfigError for a law that does not exist, and for a parameter of this law out of its range
 */
export function timeLaw({ law, steepness, mean, std, alpha }: TimeLawSettings): TimeLaw {
  if (law === "u_shaped") return makeUShapedLaw(steepness);
  if (law === "logit_normal") return makeLogitNormalLaw(mean, std);
  if (law === "shift") return makeShiftLaw(alpha);
  return timeLawByName(law);
}
