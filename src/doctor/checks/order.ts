/** Faults after which nothing about velocities and samples means anything. */
export const AFTER_TEACHER = [
  "dataset-files",
  "dataset-features",
  "dataset-statistics",
  "teacher-statistics",
  "normalization-modes",
  "aloha",
  "images",
  "language",
  "teacher-weights",
] as const;

/** Faults after which a network cannot be asked, or not as its folder says. */
export const AFTER_NETWORK = [
  ...AFTER_TEACHER,
  "student-statistics",
  "student-features",
  "student-settings",
  "student-weights",
] as const;

/** The same for a student beside its teacher. */
export const AFTER_STUDENT = [
  ...AFTER_TEACHER,
  "same-statistics",
  "student-features",
  "student-settings",
  "lineage",
  "student-weights",
  "teacher-time",
] as const;
