/**
 * The few error classes of the project, one per thing a caller can do about it.
 *
 * Every message reads `<where>: expected <what>, got <what>[. <what to do>]`, with the place in the user's own words
 * (config path, file, tensor name). A message that starts with `internal:` is a fault of ours.
 */

/** One problem in a configuration, at a dotted path such as `policy.chunk_size`. */
export interface ConfigProblem {
  readonly path: string;
  readonly message: string;
}

/** So many are told; a damaged list may have thousands. */
const MOST_PROBLEMS = 30;

/** A configuration, flag or option that cannot be used; carries all problems at once, each with its path. */
export class ConfigError extends Error {
  override readonly name = "ConfigError";
  readonly problems: readonly ConfigProblem[];
  constructor(where: string, problems: readonly ConfigProblem[] | string) {
    const list = typeof problems === "string" ? [{ path: "", message: problems }] : problems;
    super(
      list.length === 1
        ? `${where}${list[0]?.path ? ` at ${list[0].path}` : ""}: ${list[0]?.message}`
        : `${where}: ${list.length} problems\n${list
            .slice(0, MOST_PROBLEMS)
            .map((p) => `  - ${p.path ? `${p.path}: ` : ""}${p.message}`)
            .join("\n")}${list.length > MOST_PROBLEMS ? `\n  - and ${list.length - MOST_PROBLEMS} more` : ""}`,
    );
    this.problems = list;
  }
}

/** A tensor or array whose shape or dtype does not fit. */
export class ShapeError extends Error {
  override readonly name = "ShapeError";
}

/** A policy folder, weights file or run folder that is missing, damaged or does not fit. */
export class CheckpointError extends Error {
  override readonly name = "CheckpointError";
}

/** A dataset that is missing, damaged or does not fit the policy. */
export class DatasetError extends Error {
  override readonly name = "DatasetError";
}

/** A download or upload that failed. */
export class HubError extends Error {
  override readonly name = "HubError";
  readonly status: number | undefined;
  readonly url: string | undefined;
  constructor(message: string, details: { status?: number; url?: string; cause?: unknown } = {}) {
    super(message, { cause: details.cause });
    this.status = details.status;
    this.url = details.url;
  }
}

/** An operator that libtorch refused: carries the operator's name, the shapes of its arguments and libtorch's text. */
export class TorchError extends Error {
  override readonly name = "TorchError";
  readonly operator: string;
  constructor(operator: string, message: string) {
    super(message);
    this.operator = operator;
  }
}

/** A training run whose loss or gradient is no longer a number, or that the health watch ended. */
export class DivergedError extends Error {
  override readonly name = "DivergedError";
}

/** All errors a user can cause; the command line prints their message alone, without a stack. */
export const isUserError = (error: unknown): error is Error =>
  error instanceof ConfigError ||
  error instanceof ShapeError ||
  error instanceof CheckpointError ||
  error instanceof DatasetError ||
  error instanceof HubError ||
  error instanceof TorchError ||
  error instanceof DivergedError;

/** The message of anything thrown. */
export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
