import { readFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/**
 * The settings that Hugging Face's own tools read from the environment, so that one setup serves them and us: the same
 * cache, the same token, the same mirror.
 */
export interface HubSettings {
  /** another server than the public one (`HF_ENDPOINT`), without a slash at the end */
  readonly endpoint: string | undefined;
  /** `HF_TOKEN`, or the token that was saved by logging in */
  readonly token: string | undefined;
  /** `HF_HUB_CACHE`, or `hub` in `HF_HOME` */
  readonly cacheFolder: string;
  /** `HF_LEROBOT_HOME`, or `lerobot` in `HF_HOME`: where LeRobot records datasets, each under its Hub id */
  readonly lerobotFolder: string;
  /** `HF_HUB_OFFLINE`: the network is never touched */
  readonly isOffline: boolean;
  /** `HF_HUB_DOWNLOAD_TIMEOUT`, in milliseconds here: how long a server may be silent; 10 seconds as in `huggingface_hub` */
  readonly silenceMs: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const isTrue = (value: string | undefined): boolean => /^(1|on|yes|true)$/i.test(value ?? "");

const DEFAULT_SILENCE_S = 10;

/** No timer runs for longer than 24 days. */
const secondsIn = (value: string | undefined): number =>
  Number(value) > 0 ? Math.min(Number(value), 2_000_000) : DEFAULT_SILENCE_S;

const expandHome = (path: string): string => path.replace(/^~(?=\/|$)/, homedir());

function savedToken(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}

/** Settings that are empty count as not set. */
export function readHubSettings(environment: Environment = process.env): HubSettings {
  const setting = (...names: string[]): string | undefined => names.map((name) => environment[name]).find(Boolean);
  const home = expandHome(
    setting("HF_HOME") ?? join(setting("XDG_CACHE_HOME") ?? join(homedir(), ".cache"), "huggingface"),
  );
  const token = isTrue(setting("HF_HUB_DISABLE_IMPLICIT_TOKEN"))
    ? undefined
    : (setting("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN") ?? savedToken(setting("HF_TOKEN_PATH") ?? join(home, "token")));
  return {
    endpoint: setting("HF_ENDPOINT")?.replace(/\/+$/, ""),
    token: token?.trim() || undefined,
    cacheFolder: expandHome(setting("HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE") ?? join(home, "hub")),
    lerobotFolder: expandHome(setting("HF_LEROBOT_HOME") ?? join(home, "lerobot")),
    isOffline: isTrue(setting("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE")),
    silenceMs: secondsIn(setting("HF_HUB_DOWNLOAD_TIMEOUT")) * 1000,
  };
}
