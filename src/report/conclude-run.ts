import { countOf, formatFigure } from "./format-figure.js";
import { byTone, type Said } from "./order-conclusions.js";
import type { Conclusion, RunReport, Series } from "./report-data.js";

/** What a run's records say about it; of a run that has not begun nothing. */
export function concludeRun(run: RunReport): Conclusion[] {
  if (run.state === "not begun") return [];
  const warnings = run.events.filter(({ kind, message }) => kind === "warning" && message.startsWith("health"));
  const numLost = Object.values(run.series).reduce((sum, { numNotFinite }) => sum + numNotFinite, 0);
  const said: readonly Said[] = [
    concludeEnd(run),
    ...(warnings.length === 0
      ? []
      : [["warning", `The health watch spoke ${times(warnings.length)}, last: ${warnings.at(-1)!.message}`] as const]),
    ...(numLost === 0
      ? []
      : [
          [
            "warning",
            `Of the recorded figures, ${numLost} ${numLost === 1 ? "is no finite number" : "are no finite numbers"}.`,
          ] as const,
        ]),
    concludeAgreement(run),
  ];
  return [...said].sort(byTone).map(([tone, text]) => ({ tone, about: run.name, text }));
}

const times = (count: number): string => (count === 1 ? "once" : `${count} times`);

function concludeEnd({ state, step, numSteps, failure, objective }: RunReport): Said {
  const of = numSteps === undefined ? "" : ` of ${numSteps}`;
  switch (state) {
    case "completed":
      return ["note", `The ${objective} run was completed after ${countOf(step, "step")}.`];
    case "interrupted":
      return ["open", `The ${objective} run was interrupted after step ${step}${of}.`];
    case "failed":
      return ["broken", `The ${objective} run failed after step ${step}${of}${failure ? `: ${failure}` : "."}`];
    default:
      return ["note", `The ${objective} run is at step ${step}${of}; it is still going on, or was killed.`];
  }
}

/** The last measurement at the fewest steps, beside the first. */
function concludeAgreement({ series, objective }: RunReport): Said {
  if (objective === "flow matching") {
    return ["note", "A loss of flow matching has a floor that is not 0: it does not say how good the policy is."];
  }
  const explained = series["eval/noise_explained_1"];
  const last = lastOf(explained);
  if (explained === undefined || last === undefined) {
    return ["open", "Agreement with the teacher was not measured while it trained: its loss alone proves nothing."];
  }
  const first = explained.values.find((value) => value !== null);
  const course = first === undefined || explained.steps.length < 2 ? "" : `, from ${formatFigure(first!)} at first`;
  const text = `On held-out episodes one Euler step explains ${formatFigure(last)} of the response to the noise${course}`;
  if (last > 0.5) return ["note", `${text} (1 is a perfect copy, 0 is as good as ignoring the noise).`];
  return ["warning", `${text}: ${last > 0 ? "much of the variety is lost" : "worse than ignoring the noise"}.`];
}

const lastOf = (series: Series | undefined): number | undefined =>
  series?.values.filter((value) => value !== null).at(-1);
