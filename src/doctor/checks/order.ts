/** Which faults make later checks meaningless. */

/** After these, a teacher's network is not what it was, or is not asked what it was trained for. */
const FOLDER_FAULTS = [
  "dataset-files",
  "teacher-statistics",
  "normalization-modes",
  "dataset-features",
  "dataset-statistics",
  "normalised-size",
  "aloha",
  "images",
  "language",
  "teacher-weights",
] as const;

/** The same for the networks of both. */
export const AFTER_FOLDERS = [
  ...FOLDER_FAULTS,
  "student-statistics",
  "student-features",
  "student-settings",
  "student-weights",
] as const;

/** After these, nothing about a teacher's velocities and samples means anything. */
export const AFTER_TEACHER = [...FOLDER_FAULTS, "noise-intact", "forward-paths"] as const;

/** The same for a student beside its teacher. */
export const AFTER_STUDENT = [
  ...AFTER_TEACHER,
  "same-statistics",
  "student-features",
  "student-settings",
  "lineage",
  "student-weights",
  "teacher-trained",
  "teacher-time",
] as const;
