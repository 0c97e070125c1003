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
    const others = needed(student!.processors);
    const differing = needed(teacher.processors).filter(({ feature, stat, place, value }) => {
      const other = others.find((one) => one.feature === feature && one.stat === stat && one.place === place)?.value;
      return value !== undefined && (other === undefined || entriesOf(other).join() !== entriesOf(value).join());
    });
    if (differing.length === 0) return ok("those that are applied are equal; others differ");
    return fault(
      `different: ${differing.map(({ feature, stat, place }) => `${feature}.${stat} (${place})`).join(", ")}`,
      "The student reads and means other units than its teacher. Copy the teacher's processors, or train the student with them",
    );
  },
};

/** Of a standard deviation, and in units of it: what rounding and a few more episodes do, and what changes the units. */
const SAME = 1e-3;
const OTHER_UNITS = 0.5;

export const datasetStatistics: Check = {
  id: "dataset-statistics",
  title: "The teacher's statistics are the dataset's",
  needs: ["dataset"],
  after: ["dataset-files", "teacher-statistics", "normalization-modes"],
  run: ({ teacher, dataset }) => {
    const { metadata, renameMap } = dataset!;
    const stats = new Map([...metadata!.stats].map(([name, of]) => [renameMap[name] ?? name, of]));
    const distances = needed(teacher.processors).flatMap(({ feature, stat, place, value }) => {
      const other = stats.get(feature)?.get(stat);
      const scale = stats.get(feature)?.get("std");
      if (value === undefined || other === undefined || scale === undefined) return [];
      const [a, b, unit] = [value, other, scale].map(entriesOf) as [number[], number[], number[]];
      const distance = a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i]!) / Math.max(unit[i]!, 1e-6)), 0);
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
