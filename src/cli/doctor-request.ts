import { z } from "zod";
import type { DiagnoseRequest } from "../doctor/index.js";
import { ConfigError, type ConfigProblem, messageOf } from "../support/errors.js";

/** What `reflow doctor` is given. */
export interface DoctorOptions {
  readonly teacher: string;
  readonly student: string | undefined;
  readonly "dataset.root": string | undefined;
  readonly "dataset.repo_id": string | undefined;
  readonly "dataset.revision": string | undefined;
  readonly rename_map: string | undefined;
  readonly observations: number;
  readonly noises: number;
  readonly seed: number;
  readonly "policy.device": string | undefined;
}

const RENAME_MAP = z.record(z.string(), z.string());

/** @throws ConfigError naming every option that makes no sense */
export function readDoctorRequest(options: DoctorOptions): DiagnoseRequest {
  const problems: ConfigProblem[] = [];
  for (const [name, least] of [
    ["observations", 1],
    ["noises", 2],
    ["seed", 0],
  ] as const) {
    if (options[name] >= least) continue;
    problems.push({ path: `--${name}`, message: `expected a whole number of at least ${least}, got ${options[name]}` });
  }
  const root = options["dataset.root"];
  const repoId = options["dataset.repo_id"];
  if (root === undefined && repoId === undefined && options["dataset.revision"] !== undefined) {
    problems.push({ path: "--dataset.revision", message: "expected --dataset.repo_id beside it, got none" });
  }
  const renameMap = options.rename_map === undefined ? undefined : readRenameMap(options.rename_map, problems);
  if (problems.length > 0) throw new ConfigError("reflow doctor", problems);
  return {
    teacher: options.teacher,
    student: options.student,
    dataset:
      root === undefined && repoId === undefined ? undefined : { root, repoId, revision: options["dataset.revision"] },
    renameMap,
    device: options["policy.device"],
    numObservations: options.observations,
    numNoises: options.noises,
    seed: options.seed,
  };
}

function readRenameMap(text: string, problems: ConfigProblem[]): Record<string, string> | undefined {
  try {
    const parsed = RENAME_MAP.safeParse(JSON.parse(text));
    if (parsed.success) return parsed.data;
    problems.push({ path: "--rename_map", message: `expected names as {"dataset": "policy"}, got ${text}` });
  } catch (error) {
    problems.push({ path: "--rename_map", message: `expected JSON, got ${text} (${messageOf(error)})` });
  }
  return undefined;
}
