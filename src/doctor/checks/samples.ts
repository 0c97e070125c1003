/** What a student does beside its teacher, on equal noises for the same observations. */
import { agreementsAt, idleNoise, leavesTeacher } from "../agreements.js";
import { type Check, fault, figure, ok, percent, warning } from "../check.js";
import { AFTER_STUDENT } from "./order.js";

/** Faults that show in samples too. */
const KNOWN_CAUSES = ["zero-field", "action-units", "student-time", "noise-width", "trained-times", "learnt"];
const NEEDS = ["student", "dataset", "teacher network", "student network"] as const;

const steps = (count: number): string => (count === 1 ? "one step" : `${count} steps`);
const shown = (value: number | undefined): string => (value === undefined ? "undefined" : figure(value));

/** A copy explains 1, a policy that gives its mean action 0; one that is merely wrong keeps its spread. */
const LITTLE = { explained: 0.3, spread: 0.5 };

export const noiseResponse: Check = {
  id: "noise-response",
  title: "The student's actions depend on their noise as its teacher's do",
  needs: NEEDS,
  after: [...AFTER_STUDENT, ...KNOWN_CAUSES],
  run: (examination) => {
    const { numSteps } = examination.student!.config!;
    const { noiseExplained, spreadRatio } = agreementsAt(examination, numSteps).student;
    const evidence = `at ${steps(numSteps)} it explains ${shown(noiseExplained)} of what noise does (1 is a copy, 0 the mean action), with ${shown(spreadRatio)} of the spread`;
    const idle = idleNoise(examination);
    if (idle !== undefined) return ok(`${evidence}; ${idle}`);
    const isLost = (noiseExplained ?? 1) < LITTLE.explained && (spreadRatio ?? 1) < LITTLE.spread;
    return isLost
      ? fault(
          evidence,
          "It gives its mean action whatever the noise, and the modes of the teacher are gone. Look whether each pair's actions come " +
            "from its own noise, and train on several noises per observation",
        )
      : ok(evidence);
  },
};

/** Of the teacher's solved flow: what published work stops at; and so much below the teacher as it is deployed. */
const KEPT = 0.9;
/** Good policies of one or two steps keep 0.88; of few noises that is measured as anything from 0.8. */
const KEPT_BY_FEW = 0.75;
const FEW_STEPS = 4;
const CLEARLY = 0.05;

export const spread: Check = {
  id: "spread",
  title: "The student's actions vary as much as its teacher's",
  needs: NEEDS,
  after: [...AFTER_STUDENT, ...KNOWN_CAUSES, "noise-response"],
  run: (examination) => {
    const { numSteps } = examination.student!.config!;
    const usual = examination.teacher.config!.numSteps;
    const mine = agreementsAt(examination, numSteps).student.spreadRatio;
    const theirs = agreementsAt(examination, usual).teacher.spreadRatio;
    const evidence = `at ${steps(numSteps)} ${shown(mine)} of the teacher's solved flow; the teacher itself at ${steps(usual)} ${shown(theirs)}`;
    const idle = idleNoise(examination);
    if (idle !== undefined) return ok(`${evidence}; ${idle}`);
    return mine !== undefined && mine < (numSteps > FEW_STEPS ? KEPT : KEPT_BY_FEW) && mine < (theirs ?? 1) - CLEARLY
      ? warning(
          evidence,
          "Variety, and rare ways with it, are being lost. Give the teacher more solver steps (policy.reflow_num_inference_steps), mix " +
            "in demonstrations (reflow.real.share), and do not reflow this student again",
        )
      : ok(evidence);
  },
};

/** Fewer steps are better by this factor, and the deployed number is worse than the teacher's by that one. */
const BETTER = 1.1;
const WORSE = 2;

export const studentSteps: Check = {
  id: "student-steps",
  title: "The student is not worse with its num_steps than with one",
  needs: NEEDS,
  after: [...AFTER_STUDENT, ...KNOWN_CAUSES, "noise-response", "agreement"],
  run: (examination) => {
    const { numSteps } = examination.student!.config!;
    const [one, many] = [agreementsAt(examination, 1), agreementsAt(examination, numSteps)];
    const [atOne, atMany] = [one.student.relativeError ?? 0, many.student.relativeError ?? 0];
    const evidence = `error ${percent(atOne)} at one step${numSteps > 1 ? `, ${percent(atMany)} at ${steps(numSteps)}` : ""}`;
    return atMany > BETTER * atOne && atMany > WORSE * (many.teacher.relativeError ?? 0)
      ? warning(
          `${evidence} (the teacher's: ${percent(many.teacher.relativeError ?? 0)})`,
          "It was trained to act in one step, and longer than its other times could bear. Set num_steps to 1, or take an earlier " +
            "checkpoint",
        )
      : ok(evidence);
  },
};

export const agreement: Check = {
  id: "agreement",
  title: "The student's actions are near its teacher's",
  needs: NEEDS,
  after: [...AFTER_STUDENT, ...KNOWN_CAUSES, "noise-response"],
  run: (examination) => {
    const { numSteps } = examination.student!.config!;
    const list = [...new Set([1, numSteps])].map((count) => {
      const { student, teacher } = agreementsAt(examination, count);
      return `error ${percent(student.relativeError ?? 0)} at ${steps(count)} (the teacher's own ${percent(teacher.relativeError ?? 0)})`;
    });
    return leavesTeacher(examination)
      ? fault(
          list.join(", "),
          "It has left its teacher, by a learning rate that is too large or targets that are not the teacher's, or never came near " +
            "it, as after few steps from a fresh expert. Take another checkpoint, and watch the run with --health=stop",
        )
      : ok(list.join(", "));
  },
};
