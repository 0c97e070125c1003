/** Faults after which nothing about velocities and samples means anything. */
export const AFTER_TEACHER = [
  "dataset-files",
  "dataset-features",
  "dataset-statistics",
  "teacher-statistics",
  "normalization-modes",
  "images",
  "language",
  "teacher-weights",
] as const;

/** The same for a student beside its teacher. */
export const AFTER_STUDENT = [
  ...AFTER_TEACHER,
  "same-statistics",
  "student-features",
  "student-settings",
  "aloha",
  "lineage",
  "student-weights",
  "teacher-time",
] as const;
