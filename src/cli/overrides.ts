import { readFile } from "node:fs/promises";
import { parse } from "yaml";
import { ConfigError, messageOf } from "../support/errors.js";
import { expectFile } from "../support/expect-file.js";

/**
 * Settings given on the command line as LeRobot takes them: `--a.b=value`, `--a.b value`, or `--a.b` alone for true, in any
 * order, over a file named by `--config_path`.
 */

/** Nested settings as they came from a file or the command line; nothing is checked yet. */
export type Settings = Readonly<Record<string, unknown>>;

export interface SettingsSource {
  /** the file's settings with the command line's over them */
  readonly settings: Settings;
  /** those of the command line alone */
  readonly overrides: Settings;
  /** the file that `--config_path` named */
  readonly configPath: string | undefined;
}

export interface OverrideOptions {
  /** dotted paths whose values are collected into a list when they are given more than once */
  readonly repeatable?: readonly string[];
}

const CONFIG_PATH = "config_path";
const WHERE = "command line";

/** More than any setting has, and few enough to go through one by one. */
const MOST_LEVELS = 100;

/** A name of letters, digits, `_` and `-`; dunder names are refused because JavaScript gives them a meaning. */
const isSettingName = (name: string): boolean => /^[A-Za-z0-9_-]+$/.test(name) && name !== "__proto__";

/** Whether a setting is a section with settings of its own. */
export const isMapping = (value: unknown): value is Settings =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Settings over settings: mappings are merged key by key, everything else is replaced by what comes later. */
export function mergeSettings(base: Settings, over: Settings): Settings {
  const merged = new Map(Object.entries(base));
  for (const [key, value] of Object.entries(over)) {
    const old = merged.get(key);
    merged.set(key, isMapping(old) && isMapping(value) ? mergeSettings(old, value) : value);
  }
  return Object.fromEntries(merged);
}

/**
 * The value of a setting's text: a YAML number (`2e-5`), `true`, `false`, `null`, a list or mapping in flow form
 * (`[0, 1]`, `{"k": "v"}`), a quoted text; anything else is the text itself, unchanged.
 */
export function parseValue(text: string): unknown {
  const trimmed = text.trim();
  if (/^[[{"']/.test(trimmed)) return parse(trimmed) as unknown;
  if (/^(null|~)$/i.test(trimmed)) return null;
  if (/\s/.test(trimmed)) return text;
  try {
    const value: unknown = parse(trimmed);
    return typeof value === "number" || typeof value === "boolean" ? value : text;
  } catch {
    return text;
  }
}

const isFlag = (arg: string): boolean => arg.startsWith("--");

/** A single dash begins a short option, which settings do not have, or a negative number. */
const isValue = (arg: string | undefined): arg is string =>
  arg !== undefined && (!arg.startsWith("-") || typeof parseValue(arg) === "number");

function readPairs(args: readonly string[]): (readonly [path: string, value: unknown])[] {
  const pairs: (readonly [string, unknown])[] = [];
  for (let i = 0; i < args.length; i++) {
    const arg = args[i]!;
    if (!isFlag(arg)) throw new ConfigError(WHERE, `expected --name=value, got "${arg}"`);
    const equals = arg.indexOf("=");
    const path = arg.slice(2, equals < 0 ? undefined : equals);
    const names = path.split(".");
    if (names.length > MOST_LEVELS || !names.every(isSettingName)) {
      throw new ConfigError(WHERE, `expected a setting's name such as --policy.device, got "--${path}"`);
    }
    const text = equals >= 0 ? arg.slice(equals + 1) : isValue(args[i + 1]) ? args[++i] : undefined;
    try {
      pairs.push([path, text === undefined ? true : parseValue(text)]);
    } catch (error) {
      const [reason] = messageOf(error).split("\n");
      throw new ConfigError(`--${path}`, `expected a list, mapping or quoted text in YAML, got ${text} (${reason})`);
    }
  }
  return pairs;
}

const nest = (path: string, value: unknown): Settings =>
  path.split(".").reduceRight<unknown>((inner, name) => ({ [name]: inner }), value) as Settings;

/**
 * The nested settings of command-line arguments. The last of several values of one setting wins.
 *
 * @throws ConfigError for anything that is not `--name=value`, `--name value` or `--name`
 */
export function parseOverrides(args: readonly string[], options: OverrideOptions = {}): Settings {
  const repeated = new Map<string, unknown[]>((options.repeatable ?? []).map((path) => [path, []]));
  return readPairs(args).reduce<Settings>((settings, [path, value]) => {
    const list = repeated.get(path);
    list?.push(...(Array.isArray(value) ? (value as unknown[]) : [value]));
    return mergeSettings(settings, nest(path, list ? [...list] : value));
  }, {});
}

/** The settings in a YAML or JSON file. @throws ConfigError if it is missing, damaged or holds no mapping */
export async function readSettingsFile(path: string): Promise<Settings> {
  let value: unknown;
  try {
    expectFile(path);
    value = parse(await readFile(path, "utf8"));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "ENOENT") throw new ConfigError(path || `--${CONFIG_PATH}`, "file not found");
    if (code === "EISDIR") throw new ConfigError(path, "expected a YAML or JSON file, got a folder");
    throw new ConfigError(path, `expected a YAML or JSON file (${messageOf(error).trimEnd()})`);
  }
  if (!isMapping(value)) {
    const got = Array.isArray(value) ? "a list" : value === null ? "an empty file" : JSON.stringify(value);
    throw new ConfigError(path, `expected settings as "name: value", got ${got}`);
  }
  return value;
}

/**
 * No name of a file or anything else has a NUL in it, and whoever asks for such a file gets an error of another kind. What
 * is nested without end, as an alias within its own anchor is in YAML, cannot be gone through.
 */
function expectPlain(settings: Settings, where: string, level = 1): void {
  if (level > MOST_LEVELS) throw new ConfigError(where, `expected settings of at most ${MOST_LEVELS} levels, got more`);
  for (const [name, value] of Object.entries(settings)) {
    if (typeof value === "string" && value.includes("\0")) {
      throw new ConfigError(where, [
        { path: name, message: `expected a text without NUL, got ${JSON.stringify(value)}` },
      ]);
    }
    if (typeof value === "object" && value !== null) expectPlain(value as Settings, `${where}, ${name}`, level + 1);
  }
}

/**
 * The settings of command-line arguments over those of the file that `--config_path` names.
 *
 * @throws ConfigError for bad syntax, and for a file that is missing or holds no settings
 */
export async function readSettings(args: readonly string[], options: OverrideOptions = {}): Promise<SettingsSource> {
  const { [CONFIG_PATH]: configPath, ...overrides } = parseOverrides(args, options);
  expectPlain(overrides, WHERE);
  if (configPath === undefined || configPath === null) return { settings: overrides, overrides, configPath: undefined };
  if (typeof configPath !== "string") {
    throw new ConfigError(`--${CONFIG_PATH}`, `expected a YAML or JSON file, got ${JSON.stringify(configPath)}`);
  }
  const fromFile = await readSettingsFile(configPath);
  expectPlain(fromFile, configPath);
  return { settings: mergeSettings(fromFile, overrides), overrides, configPath };
}
