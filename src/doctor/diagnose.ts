import { isUserError, messageOf } from "../support/errors.js";
import { type Check, type Diagnosis, type Need, type Outcome, skipped } from "./check.js";
import { CHECKS } from "./checks/index.js";
import { type DatasetRequest, openDatasetSubject } from "./dataset-subject.js";
import { Examination } from "./examination.js";
import { openPatient, type Patient } from "./patient.js";

export interface DiagnoseRequest {
  /** policy, checkpoint or run folder, or Hub id */
  readonly teacher: string;
  readonly student?: string | undefined;
  readonly dataset?: DatasetRequest | undefined;
  /** dataset name -> policy name; what the teacher's pre-processor renames if left out */
  readonly renameMap?: Readonly<Record<string, string>> | undefined;
  readonly device?: string | undefined;
  /** frames of the dataset on which the policies are compared; 6 if left out */
  readonly numObservations?: number;
  /** noises for each of them, at least 2; 8 if left out */
  readonly numNoises?: number;
  /** of the noises; 0 if left out */
  readonly seed?: number;
  /** told what is being looked at */
  readonly onCheck?: (title: string) => void;
}

/**
 * Looks at a teacher, and at a student of it and a dataset if they are given, and says what is wrong: one line per check, in
 * the order they were made. A fault is named once: checks that mean nothing after it say so and are skipped.
 *
 * Nothing that is wrong with a policy or a dataset is an error here.
 */
export async function diagnose(request: DiagnoseRequest): Promise<Diagnosis[]> {
  const { device, numNoises = 8, numObservations = 6, seed = 0, onCheck = () => {} } = request;
  const teacher = await openPatient("teacher", request.teacher, { device });
  const besides = teacher.policy?.resourceFolders ?? [];
  const student =
    request.student === undefined ? undefined : await openPatient("student", request.student, { device, besides });
  try {
    const dataset =
      request.dataset &&
      (await openDatasetSubject(request.dataset, {
        renameMap: request.renameMap ?? renamesOf(teacher),
        numObservations,
        chunkSize: teacher.config?.chunkSize,
      }));
    const examination = new Examination({ teacher, student, dataset, numNoises, seed });
    return await runChecks(CHECKS, examination, onCheck);
  } finally {
    student?.policy?.dispose();
    teacher.policy?.dispose();
  }
}

function renamesOf({ processors }: Patient): Readonly<Record<string, string>> {
  const step = processors
    .flatMap(({ steps }) => steps)
    .find((candidate) => candidate.kind === "rename_observations_processor");
  return step?.renameMap ?? {};
}

async function runChecks(
  checks: readonly Check[],
  examination: Examination,
  onCheck: (title: string) => void,
): Promise<Diagnosis[]> {
  const diagnoses: Diagnosis[] = [];
  /** checks that found a fault or mean nothing because of one, and the check that found it */
  const causes = new Map<string, string>();
  for (const { id, title, needs = [], after = [], run } of checks) {
    const cause = after.map((earlier) => causes.get(earlier)).find((earlier) => earlier !== undefined);
    const lack = needs.map((need) => lackOf(need, examination)).find((reason) => reason !== undefined);
    let outcome: Outcome;
    if (lack !== undefined) outcome = skipped(lack);
    else if (cause !== undefined) outcome = skipped(`see ${cause}`);
    else {
      onCheck(title);
      outcome = await attempt(run, examination);
    }
    if (outcome.verdict === "fault") causes.set(id, id);
    else if (cause !== undefined) causes.set(id, cause);
    diagnoses.push({ id, title, ...outcome });
  }
  return diagnoses;
}

/** A check that fails has found something: a policy that refuses what it is given. */
async function attempt(run: Check["run"], examination: Examination): Promise<Outcome> {
  try {
    return await run(examination);
  } catch (error) {
    if (!isUserError(error)) throw error;
    return { verdict: "fault", evidence: messageOf(error) };
  }
}

/** Why a check cannot be made; undefined if it can. */
function lackOf(need: Need, { teacher, student, dataset }: Examination): string | undefined {
  switch (need) {
    case "student":
      return student === undefined
        ? "no student was given"
        : student.config === undefined
          ? "see student-files"
          : undefined;
    case "dataset":
      return dataset === undefined ? "no dataset was given" : dataset.observations ? undefined : "see dataset-files";
    case "teacher network":
      return teacher.policy === undefined ? "see teacher-files" : undefined;
    case "student network":
      if (student === undefined) return "no student was given";
      return student.policy === undefined ? "see student-files" : undefined;
  }
}
