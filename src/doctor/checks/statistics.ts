/** Whether what a policy reads and writes is in the units that it was trained in. */
import { missingStatistics } from "../../policy/processors/missing-statistics.js";
import { neededStatistics } from "../../policy/processors/normalization.js";
import { isNormalization, type NormalizationStep, type ProcessorPipeline } from "../../policy/processors/pipeline.js";
import { statisticsHash } from "../../policy/processors/statistics.js";
import type { HostArray } from "../../support/host-array.js";
import { type Check, fault, figure, type Outcome, ok, skipped, warning } from "../check.js";
import type { Patient } from "../patient.js";

const whose = ({ role }: Patient): string => `the ${role}'s`;

function presence(patient: Patient): Outcome {
  const { config, processors } = patient;
  const missing = processors.flatMap((pipeline) => missingStatistics(pipeline, config!));
  if (missing.length === 0) {
    const features = new Set(needed(processors).map(({ feature }) => feature));
    return ok(`there for ${[...features].join(", ") || "nothing, as nothing is normalised"}`);
  }
  const list = missing.map(({ feature, stat, mode, where }) => `${feature}.${stat} for ${mode} in ${where}`);
  return fault(
    `missing: ${list.join("; ")}`,
    `States reach the network raw, or its normalised actions reach the robot. Take ${
      patient.role === "student"
        ? "the teacher's processors with their state files"
        : "the processors as training saved them"
    }, and train again what was trained without them`,
  );
}

/** A statistic that normalisation applies. */
interface AppliedStatistic {
  readonly feature: string;
  readonly stat: string;
  readonly place: NormalizationStep["kind"];
  readonly value: HostArray | undefined;
}

const needed = (processors: readonly ProcessorPipeline[]): AppliedStatistic[] =>
  processors.flatMap(({ steps }) =>
    steps.filter(isNormalization).flatMap((step) =>
      Object.entries(step.features).flatMap(([feature, { type }]) =>
        neededStatistics(step.normMap[type] ?? "IDENTITY").map((stat) => ({
          feature,
          stat,
          place: step.kind,
          value: step.statistics.get(feature)?.get(stat),
        })),
      ),
    ),
  );

const entriesOf = (array: HostArray): readonly number[] => Array.from(array.data as Float32Array);

export const teacherStatistics: Check = {
  id: "teacher-statistics",
  title: "The teacher's processors have statistics for every normalised feature",
  after: ["teacher-files"],
  run: ({ teacher }) => presence(teacher),
};

export const studentStatistics: Check = {
  id: "student-statistics",
  title: "The student's processors have statistics for every normalised feature",
  needs: ["student"],
  after: ["student-files"],
  run: ({ student }) => presence(student!),
};

export const normalizationModes: Check = {
  id: "normalization-modes",
  title: "Features are normalised as config.json says, in student and teacher alike",
  after: ["teacher-statistics", "student-statistics"],
  run: ({ patients }) => {
    const [teacher, student] = patients.map(modesOf) as [Modes, Modes | undefined];
    const differences = [
      ...patients.flatMap((patient) => contradictions(patient)),
      ...(student === undefined
        ? []
        : Object.keys(teacher)
            .filter((type) => student[type] !== teacher[type])
            .map((type) => `${type}: ${student[type]} in the student, ${teacher[type]} in the teacher`)),
    ];
    if (differences.length === 0) {
      return ok(
        Object.entries(teacher)
          .map(([type, mode]) => `${type} ${mode}`)
          .join(", "),
      );
    }
    return fault(
      differences.join("; "),
      "A network knows one normalisation. Give the student its teacher's processors and normalization_mapping",
    );
  },
};

type Modes = Readonly<Record<string, string>>;

const modesOf = ({ processors }: Patient): Modes => {
  const modes: Record<string, string> = {};
  for (const step of processors.flatMap(({ steps }) => steps).filter(isNormalization)) {
    for (const { type } of Object.values(step.features)) modes[type] ??= step.normMap[type] ?? "IDENTITY";
  }
  return modes;
};

/** Modes of a policy's two pipelines and its configuration that are not one. */
function contradictions(patient: Patient): string[] {
  const { config, processors } = patient;
  return processors.flatMap(({ name, steps }) =>
    steps.filter(isNormalization).flatMap((step) =>
      [...new Set(Object.values(step.features).map(({ type }) => type))].flatMap((type) => {
        const [own, said] = [step.normMap[type] ?? "IDENTITY", config!.normalizationMapping[type] ?? "IDENTITY"];
        return own === said ? [] : [`${type}: ${own} in ${whose(patient)} ${name}, ${said} in its config.json`];
      }),
    ),
  );
}

export const sameStatistics: Check = {
  id: "same-statistics",
  title: "Student and teacher have the same statistics",
  needs: ["student"],
  after: ["teacher-statistics", "student-statistics", "normalization-modes"],
  run: ({ teacher, student }) => {
    const [theirs, mine] = [statisticsHash(teacher.processors), statisticsHash(student!.processors)];
    if (mine === theirs) return ok(`sha256 ${mine.slice(0, 12)} of both`);
    const [own, others] = [needed(teacher.processors), needed(student!.processors)];
    const differing = own.filter(({ feature, stat, place, value }) => {
      const other = others.find((one) => one.feature === feature && one.stat === stat && one.place === place)?.value;
      if (value === undefined) return false;
      const sizes = own.filter((one) => one.feature === feature && one.place === place).map((one) => one.value);
      return other === undefined || !isEqualToRounding(value, other, sizes);
    });
    if (differing.length === 0) return ok("those that are applied are equal to rounding; others differ");
    return fault(
      `different: ${differing.map(({ feature, stat, place }) => `${feature}.${stat} (${place})`).join(", ")}`,
      "The student reads and means other units than its teacher. Copy the teacher's processors, or train the student with them",
    );
  },
};

/** Of the largest statistic of an entry: what it makes to compute them again from the same data. */
const ROUNDING = 1e-5;

function isEqualToRounding(a: HostArray, b: HostArray, ofFeature: readonly (HostArray | undefined)[]): boolean {
  const [mine, theirs] = [entriesOf(a), entriesOf(b)];
  const sizeAt = (i: number): number =>
    ofFeature.reduce((most, of) => (of === undefined ? most : Math.max(most, Math.abs(entriesOf(of)[i]!))), 0);
  return mine.length === theirs.length && mine.every((x, i) => Math.abs(x - theirs[i]!) <= ROUNDING * sizeAt(i));
}

/** Of a standard deviation, and in units of it: what rounding and a few more episodes do, and what changes the units. */
const SAME = 1e-3;
const OTHER_UNITS = 0.5;
/** An entry that deviates by less, beside its mean, is constant: its deviation is what rounding made of 0. */
const CONSTANT = 1e-3;
const NOTHING = 1e-6;

export const datasetStatistics: Check = {
  id: "dataset-statistics",
  title: "The teacher's statistics are the dataset's",
  needs: ["dataset"],
  after: ["dataset-files", "teacher-statistics", "normalization-modes", "dataset-features"],
  run: ({ teacher, dataset }) => {
    const { metadata, renameMap } = dataset!;
    const stats = new Map([...metadata!.stats].map(([name, of]) => [renameMap[name] ?? name, of]));
    const distances = needed(teacher.processors).flatMap(({ feature, stat, place, value }) => {
      const other = stats.get(feature)?.get(stat);
      const [deviation, centre] = ["std", "mean"].map((name) => stats.get(feature)?.get(name));
      if (value === undefined || other === undefined || deviation === undefined) return [];
      const [a, b, std] = [value, other, deviation].map(entriesOf) as [number[], number[], number[]];
      const mean = centre === undefined ? b : entriesOf(centre);
      const distance = a.reduce((most, x, i) => {
        const rounding = Math.max(CONSTANT * Math.abs(mean[i]!), NOTHING);
        const difference = Math.abs(x - b[i]!);
        if (std[i]! > rounding) return Math.max(most, difference / std[i]!);
        return difference <= rounding ? most : Math.max(most, difference / rounding);
      }, 0);
      return [{ name: `${feature}.${stat} (${place})`, distance }];
    });
    if (distances.length === 0) {
      return skipped("the dataset has no statistics of what the teacher normalises");
    }
    const worst = distances.reduce((most, one) => (one.distance > most.distance ? one : most));
    if (worst.distance <= SAME) return ok(`all ${distances.length} that are applied are equal`);
    const evidence = `${worst.name} differs by ${figure(worst.distance)} standard deviations of the dataset`;
    return worst.distance > OTHER_UNITS
      ? fault(
          evidence,
          "This is not the data that the policy was trained on, or its statistics were replaced. Use its own",
        )
      : warning(evidence, "The policy was trained on other or more episodes. Its own statistics stay in use");
  },
};

/** Of normalised numbers: rare outliers lie at some tens of standard deviations. */
const HUGE = 100;

export const normalisedSize: Check = {
  id: "normalised-size",
  title: "States and actions of the dataset are of ordinary size when they are normalised",
  needs: ["dataset", "teacher network"],
  after: ["dataset-files", "teacher-statistics", "normalization-modes", "dataset-features", "dataset-statistics"],
  run: (examination) => {
    const { policy, config } = examination.teacher;
    const arrays = examination.normalised(policy!);
    const names = [
      "action",
      ...Object.keys(config!.inputFeatures).filter((name) => config!.inputFeatures[name]!.type === "STATE"),
    ];
    const largest = names.flatMap((name) => {
      const array = arrays[name];
      return array === undefined ? [] : [{ name, ...largestOf(array) }];
    });
    const worst = largest.reduce((most, one) => (one.size > most.size ? one : most));
    const evidence = `${worst.name}[${worst.entry}] is ${figure(worst.size)} at most`;
    return worst.size > HUGE
      ? fault(
          evidence,
          "An entry that is constant in the data has a deviation of nearly 0, and rounding is divided by it: such numbers drown all " +
            "others in training. Set its std to 1 in both state files of the processors, or leave it out of the dataset, and train again",
        )
      : ok(evidence);
  },
};

/** The largest number of an array, without its sign, and its place in the last axis. */
function largestOf({ data, shape }: HostArray): { readonly size: number; readonly entry: number } {
  let largest = { size: 0, entry: 0 };
  for (const [i, value] of (data as Float32Array).entries()) {
    if (Math.abs(value) > largest.size) largest = { size: Math.abs(value), entry: i % shape.at(-1)! };
  }
  return largest;
}
