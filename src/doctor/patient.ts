/** A policy folder, read as far as it can be. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isAdapterFolder } from "../policy/adapter-folder.js";
import { findPolicyFolder } from "../policy/find-policy-folder.js";
import { inspectPolicy, type PolicyReport } from "../policy/inspect-policy.js";
import type { ProcessorPipeline } from "../policy/processors/pipeline.js";
import { type Provenance, readProvenance } from "../policy/provenance.js";
import { SmolVLAPolicy } from "../policy/smolvla-policy.js";
import type { SmolVLAConfig } from "../smolvla/config.js";
import { isUserError, messageOf } from "../support/errors.js";
import { once } from "../support/once.js";
import { weightsHash } from "../train/run-provenance.js";

export type Json = Readonly<Record<string, unknown>>;

export interface Patient {
  readonly role: "teacher" | "student";
  /** as it was given, or the policy folder that was found in it */
  readonly folder: string;
  /** undefined if it cannot be read */
  readonly config: SmolVLAConfig | undefined;
  /** those of its two pipelines that can be read */
  readonly processors: readonly ProcessorPipeline[];
  /** what its files say without its network; undefined for an adapter, and if the configuration cannot be read */
  readonly report: PolicyReport | undefined;
  /** undefined for a policy of another program */
  readonly provenance: Provenance | undefined;
  /** SHA-256 of its weights file */
  readonly weightsSha256: () => Promise<string>;
  /** LeRobot's `train_config.json` of the run that made it; undefined if there is none */
  readonly training: Json | undefined;
  /** undefined if it cannot be loaded */
  readonly policy: SmolVLAPolicy | undefined;
  /** why something of the above is missing, as sentences */
  readonly problems: readonly string[];
}

export interface OpenOptions {
  readonly device: string | undefined;
  /** folders in which relative names are looked up too */
  readonly besides?: readonly string[];
}

/** Reads and loads a policy; what is wrong with it becomes a problem, not an error. */
export async function openPatient(
  role: Patient["role"],
  nameOrPath: string,
  { device, besides = [] }: OpenOptions,
): Promise<Patient> {
  const problems: string[] = [];
  const attempt = async <T>(work: Promise<T>): Promise<T | undefined> => {
    try {
      return await work;
    } catch (error) {
      if (!isUserError(error)) throw error;
      const message = messageOf(error);
      if (!problems.includes(message)) problems.push(message);
      return undefined;
    }
  };
  const isAdapter = isAdapterFolder(nameOrPath);
  const folder = isAdapter ? nameOrPath : await attempt(findPolicyFolder(nameOrPath));
  const weightsSha256 = once(() => weightsHash(folder ?? nameOrPath));
  if (folder === undefined) return { ...NOTHING, role, folder: nameOrPath, weightsSha256, problems };
  const report = isAdapter ? undefined : await attempt(inspectPolicy(folder));
  const provenance = isAdapter ? await attempt(readProvenance(folder)) : report?.provenance;
  const isWhole = isAdapter || (report !== undefined && isLoadable(report));
  const options = { ...(device === undefined ? {} : { device }), besides };
  const policy = isWhole ? await attempt(SmolVLAPolicy.load(folder, options)) : undefined;
  return {
    role,
    folder,
    config: report?.config ?? policy?.config,
    processors: report?.processors ?? Object.values(policy?.processors ?? {}),
    report,
    provenance,
    weightsSha256,
    training: await readTrainConfig(folder),
    policy,
    problems: [...new Set([...(policy === undefined ? (report?.faults ?? []) : []), ...problems])],
  };
}

const NOTHING = {
  config: undefined,
  processors: [],
  report: undefined,
  provenance: undefined,
  training: undefined,
  policy: undefined,
} as const;

/** Misfits of weights are told by the report, in more detail than the loader has; names may lie beside the other policy. */
const isLoadable = ({ weights }: PolicyReport): boolean => {
  if (weights === undefined) return false;
  const { missing, unexpected, misshapen } = weights.misfits ?? { missing: [], unexpected: [], misshapen: [] };
  return missing.length + unexpected.length + misshapen.length === 0;
};

/** The file is nobody's duty: one that is absent or damaged says nothing. */
async function readTrainConfig(folder: string): Promise<Json | undefined> {
  try {
    const json: unknown = JSON.parse(await readFile(join(folder, "train_config.json"), "utf8"));
    return typeof json === "object" && json !== null && !Array.isArray(json) ? (json as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** An entry of nested plain data, such as `dataset.image_transforms.enable`. */
export const entryAt = (json: Json | undefined, path: string): unknown =>
  path.split(".").reduce<unknown>((value, name) => (value as Json | null | undefined)?.[name], json);
