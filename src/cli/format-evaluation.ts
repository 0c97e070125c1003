import type { Latency } from "../eval/index.js";
import type { RolloutSummary } from "../rollout/index.js";
import { formatTable } from "./table.js";

export interface EvaluationText {
  readonly summary: RolloutSummary;
  readonly latency: Latency | undefined;
  readonly settings: { readonly environment: string; readonly numSteps: number; readonly numActionSteps: number };
  readonly file: string;
  readonly videoFolder: string | undefined;
  readonly isPartial: boolean;
  /** that were asked for */
  readonly numEpisodes: number;
}

const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
const fixed = (value: number | undefined, digits: number): string => value?.toFixed(digits) ?? "undefined";

/** An evaluation as a person reads it. */
export function formatEvaluation({
  summary,
  latency,
  settings,
  file,
  videoFolder,
  isPartial,
  numEpisodes,
}: EvaluationText): string {
  const { success, entropy, modes, numUndecidedModes: numUndecided } = summary;
  const leaps = numUndecided > 0 ? `, ${numUndecided} of which leapt over a level of obstacles` : "";
  const taken = Object.values(modes).filter((n) => n > 0).length;
  const rows = [
    ["world", settings.environment],
    ["policy", `${settings.numSteps} Euler steps, ${settings.numActionSteps} actions of each chunk`],
    ["episodes", `${summary.numEpisodes}${isPartial ? ` of ${numEpisodes}: interrupted` : ""}`],
    [
      "success",
      success
        ? `${percent(success.value)} (95 %: ${percent(success.low)} to ${percent(success.high)}; ${summary.numSuccesses} episodes${leaps})`
        : "undefined",
    ],
    ...(entropy === undefined
      ? []
      : [
          [
            "ways taken",
            `${taken} of ${Object.keys(modes).length}` +
              (numUndecided > 0 ? `; undecided in ${numUndecided} successes` : ""),
          ],
          [
            "entropy of ways",
            entropy.entropy === undefined
              ? `undefined: no episode succeeded${numUndecided > 0 ? " in a way that was decided" : ""}`
              : `${fixed(entropy.entropy, 3)}, corrected ${fixed(entropy.corrected, 3)} (at most about ${fixed(entropy.ceiling, 3)} for ${entropy.numCounted} successes)`,
          ],
        ]),
    ["mean length", `${fixed(summary.meanLength, 1)} steps`],
    [
      "roughness",
      `${fixed(summary.roughness, 3)} within chunks, jump at chunk boundaries ${fixed(summary.boundaryJump, 2)}`,
    ],
    ...(latency === undefined
      ? []
      : [
          ["latency", `median ${latency.total.medianMs.toFixed(1)} ms, 95 % ${latency.total.p95Ms.toFixed(1)} ms`],
          ...Object.entries(latency.parts).map(([part, { medianMs, p95Ms }]) => [
            `  ${part}`,
            `median ${medianMs.toFixed(1)} ms, 95 % ${p95Ms.toFixed(1)} ms`,
          ]),
        ]),
    ["written", `${file}${isPartial ? ", marked as partial" : ""}`],
    ...(videoFolder === undefined ? [] : [["videos", videoFolder]]),
  ];
  return formatTable(rows);
}
