/** Students that were taught something wrong: by their pairs, their times or their loss. */
import { entryWeights, l2, sampleNoise, sampleTime, timeLawByName, withAtoms } from "../../src/flow/index.js";
import { runPostprocessor } from "../../src/policy/processors/run-pipeline.js";
import type { SmolVLAPolicy } from "../../src/policy/smolvla-policy.js";
import { actionDim } from "../../src/smolvla/config.js";
import { drawInitialExpert } from "../../src/smolvla/load.js";
import {
  add,
  constantPad,
  Generator,
  meanOver,
  mulScalar,
  repeatInterleave,
  reshape,
  slice,
  sub,
  type Tensor,
  tensorFromHost,
} from "../../src/torch/index.js";
import type { Coupling } from "../../src/train/couplings/coupling.js";
import { carryNoise, teacherPairs } from "../../src/train/couplings/teacher.js";
import { teacherOf } from "../parity/objectives.js";
import { type TrainedStudent, trainStudent } from "../runs/defect-run.js";
import type { Fault } from "./fault.js";

const NUM_STEPS = 100;
const LEARNING_RATE = 5e-4;

type Couple = Coupling["couple"];
const couplingOf = (couple: Couple, numNoises = 1): Coupling => ({ numNoises, couple, dispose: () => {} });

const pairsOf = (teacher: SmolVLAPolicy, numNoises = 1): Coupling =>
  teacherPairs(teacherOf(teacher.model, teacher.config, { numNoises }));

/** Real pairs with a change. */
const changedPairs = (
  teacher: SmolVLAPolicy,
  change: (pairs: { noise: Tensor; actions: Tensor }) => { noise: Tensor; actions: Tensor },
): Coupling => couplingOf((...args) => change(pairsOf(teacher).couple(...args)));

/** As reflow draws times here: U-shaped, a quarter of them at 1. */
const MIXED = withAtoms(timeLawByName("u_shaped"), [1], 0.25);
const atAllTimes = {
  times: (numSamples: number, generator: Generator) => sampleTime(MIXED, numSamples, generator),
};

/** At time 1 the target of noise and these is `actions - noise`. */
const beyond = (teacher: SmolVLAPolicy): Coupling =>
  changedPairs(teacher, ({ noise, actions }) => ({ noise, actions: sub(mulScalar(noise, 2), actions) }));

const NUM_TOGETHER = 4;

/** Actions nearer to the mean over the noises of their observation. */
const contracted = (teacher: SmolVLAPolicy, kept: number): Coupling =>
  couplingOf((...args) => {
    const { noise, actions } = pairsOf(teacher, NUM_TOGETHER).couple(...args);
    const [, ...shape] = actions.shape;
    const means = meanOver(reshape(actions, [-1, NUM_TOGETHER, ...shape]), [1]);
    const centre = repeatInterleave(means, NUM_TOGETHER, 0);
    return { noise, actions: add(centre, mulScalar(sub(actions, centre), kept)) };
  }, NUM_TOGETHER);

function realAlone(teacher: SmolVLAPolicy): Coupling {
  const { config, model } = teacher;
  const [numReal, width] = [actionDim(config), config.maxActionDim];
  const cut = (x: Tensor): Tensor => constantPad(slice(x, -1, 0, numReal), [0, width - numReal], 0);
  return couplingOf((batch, context, generator) => {
    const noise = cut(sampleNoise([batch.tasks.length, config.chunkSize, width], generator));
    return { noise, actions: cut(carryNoise(teacherOf(model, config), batch, context, noise)) };
  });
}

const inRobotUnits = (teacher: SmolVLAPolicy): Coupling =>
  changedPairs(teacher, ({ noise, actions }) => {
    const numReal = actionDim(teacher.config);
    const robot = runPostprocessor(teacher.processors.postprocessor, slice(actions, -1, 0, numReal).toHost());
    return { noise, actions: constantPad(tensorFromHost(robot), [0, actions.size(-1) - numReal], 0) };
  });

/** The student itself, as it learns, makes what it learns from. */
function selfTaught(teacher: SmolVLAPolicy): Promise<TrainedStudent> {
  const model = teacher.model.withCopiedExpert(teacher.config);
  const start = teacher.with({ model: Object.assign(model, { withCopiedExpert: () => model }) });
  return trainStudent(start, pairsOf(start), NUM_STEPS, LEARNING_RATE, atAllTimes);
}

async function untrained(teacher: SmolVLAPolicy): Promise<TrainedStudent> {
  using generator = new Generator(4);
  const model = teacher.model.withExpert(drawInitialExpert(teacher, generator), teacher.config);
  return { student: teacher.with({ model }), losses: [], firstGradients: new Map() };
}

const realEntries = ({ config }: SmolVLAPolicy): Tensor =>
  entryWeights({
    chunkSize: config.chunkSize,
    actionDim: actionDim(config),
    maxActionDim: config.maxActionDim,
    numExecuted: config.nActionSteps,
    executedWeight: 1,
    paddedShare: 0,
  });

type Train = (teacher: SmolVLAPolicy) => Promise<TrainedStudent>;

const followed =
  (coupling: (teacher: SmolVLAPolicy) => Coupling, changes: Parameters<typeof trainStudent>[4] = {}): Train =>
  (teacher) =>
    trainStudent(teacher, coupling(teacher), NUM_STEPS, LEARNING_RATE, changes);

/** How each student is made; `good` and `distilled` are as they should be. */
export const STUDENTS = {
  good: followed(pairsOf, atAllTimes),
  distilled: followed(pairsOf),
  "real noise alone": followed(realAlone, atAllTimes),
  "real loss alone": (teacher) =>
    followed(pairsOf, { ...atAllTimes, loss: { distance: l2, weights: realEntries(teacher) } })(teacher),
  overwritten: followed((teacher) => changedPairs(teacher, ({ actions }) => ({ noise: actions, actions })), atAllTimes),
  mirrored: (teacher) => trainStudent(teacher, beyond(teacher), 150, LEARNING_RATE),
  swapped: followed(
    (teacher) => changedPairs(teacher, ({ noise, actions }) => ({ noise: actions, actions: noise })),
    atAllTimes,
  ),
  "robot's units": followed(inRobotUnits),
  "less variety": followed((teacher) => contracted(teacher, 0.4), atAllTimes),
  "self-taught": selfTaught,
  untrained,
} satisfies Record<string, Train>;

export interface TrainedFault extends Fault {
  readonly who: "doctor" | "health";
  readonly student: keyof typeof STUDENTS;
}

export const TRAINED_FAULTS: readonly TrainedFault[] = [
  {
    fault: "noise fills the robot's own dimensions alone",
    who: "doctor",
    names: "noise-width",
    student: "real noise alone",
  },
  {
    fault: "the loss leaves padded dimensions out, and the student takes ten steps",
    who: "doctor",
    names: "padded-loss",
    student: "real loss alone",
  },
  {
    fault: "a solver overwrites the noise with its result",
    who: "doctor",
    names: "zero-field",
    student: "overwritten",
  },
  { fault: "a student's velocities point the other way", who: "doctor", names: "student-time", student: "mirrored" },
  { fault: "noise and actions have changed places", who: "doctor", names: "student-time", student: "swapped" },
  {
    fault: "a student's targets are in the robot's units",
    who: "doctor",
    names: "action-units",
    student: "robot's units",
  },
  { fault: "a student has lost variety", who: "doctor", names: "spread", student: "less variety" },
  {
    fault: "a student was distilled too long for the ten steps that it takes",
    who: "doctor",
    names: "student-steps",
    student: "distilled",
  },
  {
    fault: "a student with a fresh expert was hardly trained",
    who: "doctor",
    names: "agreement",
    student: "untrained",
  },
  { fault: "a student was its own teacher", who: "doctor", names: "agreement", student: "self-taught" },
  {
    fault: "a solver overwrites the noise, in training",
    who: "health",
    names: "drift-from-teacher",
    student: "overwritten",
  },
  {
    fault: "velocities point the other way, in training",
    who: "health",
    names: "drift-from-teacher",
    student: "mirrored",
  },
  { fault: "a student is its own teacher", who: "health", names: "drift-from-teacher", student: "self-taught" },
  { fault: "a student loses variety", who: "health", names: "spread-lost", student: "less variety" },
];
