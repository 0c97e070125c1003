/** What the doctor says of folders of the fixture. */
import { type DiagnoseRequest, type Diagnosis, diagnose } from "../../src/doctor/index.js";
import { setNumThreads } from "../../src/torch/index.js";
import { DATASET, TEACHER } from "../runs/training-run.js";

/** The lines of a diagnosis that are alarms, in order. */
export async function alarms(request: Partial<DiagnoseRequest>): Promise<readonly Diagnosis[]> {
  setNumThreads(1);
  const diagnoses = await diagnose({
    teacher: TEACHER,
    dataset: { root: DATASET },
    device: "cpu",
    numObservations: 4,
    numNoises: 6,
    ...request,
  });
  return diagnoses.filter(({ verdict }) => verdict === "fault" || verdict === "warning");
}

/** Their ids alone. */
export const alarmIds = async (request: Partial<DiagnoseRequest>): Promise<readonly string[]> =>
  (await alarms(request)).map(({ id }) => id);
