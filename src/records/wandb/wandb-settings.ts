import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { ConfigError } from "../../support/errors.js";
import { newestRunFolder } from "./run-folders.js";

/** The settings `wandb.*` of a training run, with LeRobot's names in camelCase. */
export interface WandbSettings {
  readonly enable: boolean;
  readonly project: string;
  readonly entity: string | undefined;
  readonly notes: string | undefined;
  readonly runId: string | undefined;
  readonly mode: "online" | "offline" | "disabled" | undefined;
}

/** Environment variables by name; those that are empty count as not set. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** Where a run is sent while it trains. */
export interface WandbServer {
  /** without a slash at the end */
  readonly baseUrl: string;
  readonly apiKey: string;
}

/** What settings and environment say together. */
export interface WandbTarget {
  /** undefined for a run that is kept offline */
  readonly server: WandbServer | undefined;
  /** whether offline was chosen, and not for want of a key */
  readonly isOfflineByChoice: boolean;
  readonly project: string;
  readonly entity: string | undefined;
  readonly notes: string | undefined;
}

const PUBLIC_SERVER = "https://api.wandb.ai";

function readBaseUrl(environment: Environment): string {
  const text = environment.WANDB_BASE_URL || PUBLIC_SERVER;
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !/^https?:$/.test(url.protocol) || url.search !== "" || url.hash !== "") {
    throw new ConfigError(
      "WANDB_BASE_URL",
      `expected an address such as ${PUBLIC_SERVER}, got ${JSON.stringify(text)}`,
    );
  }
  return url.href.replace(/\/+$/, "");
}

/** The key that `wandb login` has saved for a server: the password of its host in the user's netrc file. */
function savedKey(environment: Environment, host: string): string | undefined {
  const path = environment.NETRC || join(environment.HOME || homedir(), ".netrc");
  let text: string;
  try {
    text = readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
  const words = text.split(/\s+/);
  const machine = words.findIndex((word, i) => word === "machine" && words[i + 1] === host);
  if (machine < 0) return undefined;
  const next = words.indexOf("machine", machine + 1);
  const entry = words.slice(machine, next < 0 ? undefined : next);
  const password = entry.indexOf("password");
  return password < 0 ? undefined : entry[password + 1];
}

const MODES: Readonly<Record<string, "online" | "offline" | "disabled">> = {
  online: "online",
  offline: "offline",
  dryrun: "offline",
  disabled: "disabled",
};

function modeIn(environment: Environment): "online" | "offline" | "disabled" | undefined {
  const text = environment.WANDB_MODE;
  if (!text) return undefined;
  const mode = Object.hasOwn(MODES, text) ? MODES[text] : undefined;
  if (mode === undefined) {
    throw new ConfigError("WANDB_MODE", `expected online, offline or disabled, got ${JSON.stringify(text)}`);
  }
  return mode;
}

/**
 * Where a run goes. A setting comes before its environment variable (`WANDB_MODE`, `WANDB_ENTITY`, `WANDB_NOTES`); with
 * no mode at all, a run is sent if there is a key (`WANDB_API_KEY`, or saved by `wandb login`) and kept offline if not.
 *
 * @returns undefined if nothing is to be written
 * @throws ConfigError if `mode` is online without a key, or a variable has no possible value
 */
export function resolveWandb(settings: WandbSettings, environment: Environment): WandbTarget | undefined {
  if (!settings.enable) return undefined;
  const mode = settings.mode ?? modeIn(environment);
  if (mode === "disabled") return undefined;
  const {
    project,
    entity = environment.WANDB_ENTITY || undefined,
    notes = environment.WANDB_NOTES || undefined,
  } = settings;
  const destination = { isOfflineByChoice: mode === "offline", project, entity, notes };
  if (mode === "offline") return { ...destination, server: undefined };
  const baseUrl = readBaseUrl(environment);
  const apiKey = environment.WANDB_API_KEY?.trim() || savedKey(environment, new URL(baseUrl).hostname);
  if (apiKey !== undefined) return { ...destination, server: { baseUrl, apiKey } };
  if (mode === undefined) return { ...destination, server: undefined };
  throw new ConfigError(
    "wandb.mode",
    "expected a key for online, got none. Set WANDB_API_KEY, or choose wandb.mode=offline and send the run later",
  );
}

export interface RunIdRequest {
  readonly runFolder: string;
  readonly settings: WandbSettings;
  readonly environment: Environment;
  /** whether the run in the folder is continued */
  readonly resume: boolean;
  /** for tests */
  readonly newRunId?: () => string;
}

/** Eight letters and digits, as Weights & Biases names runs. */
const randomRunId = (): string =>
  Array.from(randomBytes(8), (byte) => "0123456789abcdefghijklmnopqrstuvwxyz"[byte % 36]).join("");

/**
 * A run's id at Weights & Biases: the setting, else `WANDB_RUN_ID`, else that of the run which continues, else a new one.
 * Put into the configuration before training starts, it finds its way into checkpoints, as in LeRobot.
 *
 * @throws ConfigError if the id cannot name a file
 */
export function wandbRunId({ runFolder, settings, environment, resume, newRunId = randomRunId }: RunIdRequest): string {
  const runId =
    settings.runId ??
    (environment.WANDB_RUN_ID || undefined) ??
    (resume ? newestRunFolder(runFolder)?.runId : undefined) ??
    newRunId();
  if (!/^\w[\w.-]{0,127}$/.test(runId)) {
    throw new ConfigError(
      "wandb.run_id",
      `expected up to 128 letters, digits, "_", "-" and ".", the first no sign, got ${JSON.stringify(runId)}`,
    );
  }
  return runId;
}
