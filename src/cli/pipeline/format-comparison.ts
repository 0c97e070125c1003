import { formatTable } from "../table.js";
import type { Comparison } from "./comparison.js";

export const formatPercent = (value: number | undefined): string =>
  value === undefined ? "-" : `${(100 * value).toFixed(1)} %`;

const formatShare = (value: number | undefined): string => (value === undefined ? "-" : value.toFixed(2));

/** A comparison as text: what was measured, a table by number of steps, and what it means for the stages. */
export function formatComparison(comparison: Comparison): string {
  const { settings, reference, rows, policies, dataset, isHeldOut, findings } = comparison;
  const count = dataset.episodes.length;
  const episodes = `${count} ${isHeldOut ? "held-out " : ""}${count === 1 ? "episode" : "episodes"}${isHeldOut ? "" : " that were learnt from"}`;
  const cells = settings.num_steps.flatMap((numSteps) =>
    policies.map(({ name, k, isDistilled }) => {
      const row = rows.find((candidate) => candidate.name === name && candidate.numSteps === numSteps)!;
      const flow = `${k === undefined ? "?" : k}-RF${isDistilled ? ", distilled" : ""}`;
      const figures = [formatPercent(row.relativeError), formatShare(row.noiseExplained), formatShare(row.spreadRatio)];
      return [String(numSteps), name, flow, ...figures];
    }),
  );
  const table = formatTable(cells, {
    header: ["steps", "policy", "flow", "error", "explained", "spread"],
    align: ["right", "left", "left", "right", "right", "right"],
  });
  return [
    `Agreement with the converged solution of ${reference} (${settings.reference_steps} Euler steps) on ` +
      `${settings.num_observations} observations of ${episodes},`,
    `${settings.num_noises} noises each, the same for all. error: relative, lower is better. explained: share of the`,
    "reference's response to the noise that is reproduced; 1 is a perfect copy, 0 is ignoring the noise. spread: 1 is right.",
    "",
    table,
    ...(findings.length > 0 ? ["", ...findings.map((finding) => `- ${finding}`)] : []),
  ].join("\n");
}
