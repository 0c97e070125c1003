/** What the velocities say: which way time runs, which way they point, and whether there are any. */
import { interpolate, velocityTarget } from "../../flow/index.js";
import { actionDim } from "../../smolvla/config.js";
import { add, constantPad, full, ones, reshape, rsubScalar, scope, sub } from "../../torch/index.js";
import { leavesTeacher } from "../agreements.js";
import { type Check, fault, figure, type Outcome, ok, percent } from "../check.js";
import { type Examination, meanSquare, onDevice } from "../examination.js";
import { noiseLeft } from "../noise-left.js";
import type { Patient } from "../patient.js";
import { AFTER_STUDENT, AFTER_TEACHER } from "./order.js";

/** Without 0, where velocities of any flow are guesses. */
const TIMES = [1, 0.75, 0.5, 0.25] as const;
/** Of the error by the right reading: another fits better for certain. A policy that knows nothing fits none. */
const CLEARLY = 0.75;

/** In which of four ways of reading time and velocity a policy's answers fit noise and demonstrations best. */
function readings(examination: Examination, { policy, config }: Patient): Record<string, number> {
  return scope(() => {
    const field = examination.field(policy!);
    const [noise, actions] = [examination.noise(policy!), examination.demonstrations(policy!)];
    const target = velocityTarget(noise, actions);
    const errors = { right: 0, mirrored: 0, reversed: 0, both: 0 };
    const size = TIMES.length * meanSquare(target, actionDim(config!));
    for (const at of TIMES) {
      const time = full([noise.size(0)], at, "float32", undefined, noise.device);
      const x = interpolate(noise, actions, time);
      const [told, other] = [field(x, time), field(x, rsubScalar(time, 1))];
      const errorOf = (difference: typeof x): number => meanSquare(difference, actionDim(config!)) / size;
      errors.right += errorOf(sub(told, target));
      errors.mirrored += errorOf(add(told, target));
      errors.reversed += errorOf(sub(other, target));
      errors.both += errorOf(add(other, target));
    }
    return errors;
  });
}

const MEANINGS: Readonly<Record<string, string>> = {
  mirrored: "velocities point from noise to actions (actions - noise)",
  reversed: "time 0 is noise and time 1 is actions",
  both: "time 0 is noise and velocities are actions - noise",
};

/** Of noise - actions. A flow of actions that nothing predicts leaves 0.78 of it unexplained, one that knows nothing leaves 1. */
const ALL = 0.8;
/** Of the noise, in its samples: a trained flow takes out whatever actions do not vary by. */
const MUCH_NOISE = 0.5;

export const teacherTrained: Check = {
  id: "teacher-trained",
  title: "The teacher has learnt what the dataset's actions are",
  needs: ["dataset", "teacher network"],
  after: AFTER_TEACHER,
  run: (examination) => {
    const { teacher } = examination;
    const least = Math.min(...Object.values(readings(examination, teacher)));
    const left = noiseLeft(examination);
    const evidence = `its velocities leave ${percent(least)} of noise - actions unexplained, and its samples hold ${percent(left)} of their noise`;
    return least > ALL && left > MUCH_NOISE
      ? fault(
          evidence,
          "It was not trained, or on something else: its actions are little more than the noise. Train it on this dataset first " +
            "(reflow train), or give the checkpoint that was trained",
        )
      : ok(evidence);
  },
};

function direction(examination: Examination, patient: Patient): Outcome {
  const errors = readings(examination, patient);
  const [best, least] = Object.entries(errors).reduce((one, other) => (other[1] < one[1] ? other : one));
  const list = Object.entries(errors).map(([name, error]) => `${name} ${figure(error)}`);
  const evidence = `unexplained part of noise - actions, by reading: ${list.join(", ")}`;
  return least >= CLEARLY * errors.right!
    ? ok(evidence)
    : fault(
        `${evidence}: ${MEANINGS[best]}`,
        "Here as in LeRobot time 1 is noise, time 0 is actions, and velocity is noise - actions. Train with these; such a policy " +
          "carries samples away from the data",
      );
}

export const teacherTime: Check = {
  id: "teacher-time",
  title: "The teacher's time runs from noise at 1 to actions at 0",
  needs: ["dataset", "teacher network"],
  after: [...AFTER_TEACHER, "teacher-trained"],
  run: (examination) => direction(examination, examination.teacher),
};

export const studentTime: Check = {
  id: "student-time",
  title: "The student's time runs from noise at 1 to actions at 0",
  needs: ["student", "dataset", "teacher network", "student network"],
  after: [...AFTER_STUDENT, "zero-field", "action-units"],
  run: (examination) => direction(examination, examination.student!),
};

/** Of the teacher's own mean square. */
const NEARLY_NOTHING = 0.25;

export const zeroField: Check = {
  id: "zero-field",
  title: "The student's velocities are not those of a noise that had been overwritten",
  needs: ["student", "dataset", "teacher network", "student network"],
  after: [...AFTER_STUDENT, "action-units"],
  run: (examination) => {
    const { teacher, student } = examination;
    const ratio = scope(() => {
      const { converged } = examination.teacherSamples();
      const width = actionDim(teacher.config!);
      const { chunkSize, maxActionDim } = teacher.config!;
      const sizeOf = ({ policy }: Patient): number => {
        const actions = reshape(onDevice(converged, policy!), [-1, chunkSize, width]);
        const noise = examination.noise(policy!);
        const padded = constantPad(actions, [0, maxActionDim - width], 0);
        return meanSquare(
          examination.field(policy!)(padded, ones([noise.size(0)], "float32", undefined, noise.device)),
          width,
        );
      };
      return sizeOf(student!) / sizeOf(teacher);
    });
    const evidence = `given actions in place of noise, its velocities are ${figure(Math.sqrt(ratio))} times its teacher's`;
    return ratio < NEARLY_NOTHING && leavesTeacher(examination)
      ? fault(
          `${evidence}, and its samples have left its teacher's`,
          "It has learnt that noise - actions is 0: the solver had overwritten the noise with its result. Integrate out of place, " +
            "or give the teacher a copy of the noise",
        )
      : ok(evidence);
  },
};
