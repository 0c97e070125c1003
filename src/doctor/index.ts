/** What is wrong with a policy, as a checklist. */
export { type Diagnosis, type Outcome, VERDICTS, type Verdict } from "./check.js";
export { CHECKS } from "./checks/index.js";
export { type DiagnoseRequest, diagnose } from "./diagnose.js";
