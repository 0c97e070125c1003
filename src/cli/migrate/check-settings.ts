import { ConfigError, isUserError, messageOf } from "../../support/errors.js";
import { didYouMean } from "../../support/nearest-name.js";
import { parseTrainConfig } from "../../train/config.js";
import { SETTING_NAMES } from "../../train/config-schema.js";
import { parseOverrides } from "../overrides.js";

/** A setting of a rewritten command. */
export interface FinalSetting {
  readonly name: string;
  /** undefined for a setting without a value */
  readonly text: string | undefined;
  /** whether the text holds variables that are not known */
  readonly isOpen: boolean;
}

const SECTIONS = new Set(SETTING_NAMES.map((name) => name.slice(0, Math.max(0, name.lastIndexOf(".")))));

/** Whether a training run has a setting, or one that is a mapping of its own of which this is an entry. */
function isKnown(name: string): boolean {
  if (name === "config_path" || SETTING_NAMES.includes(name)) return true;
  const section = name.slice(0, Math.max(0, name.lastIndexOf(".")));
  return section !== "" && !SECTIONS.has(section) && isKnown(section);
}

const problemsOf = (error: unknown): readonly { path: string; message: string }[] => {
  if (!isUserError(error)) throw error;
  return error instanceof ConfigError ? error.problems : [{ path: "", message: messageOf(error) }];
};

/**
 * What `reflow train` will say against settings, as far as it is certain before they run.
 *
 * @param isComplete whether no further settings come from a file, a run that continues, or a variable
 */
export function checkSettings(settings: readonly FinalSetting[], isComplete: boolean): readonly string[] {
  const unknown = settings.filter(({ name }) => !isKnown(name));
  const complaints = unknown.map(
    ({ name }) => `--${name} is no setting of reflow train${didYouMean(name, SETTING_NAMES)}`,
  );
  const open = settings.filter(({ isOpen }) => isOpen).map(({ name }) => name);
  const judged = settings.filter((setting) => setting.name !== "config_path" && !unknown.includes(setting));
  const complain = (given: readonly FinalSetting[]): readonly { path: string; message: string }[] => {
    try {
      const args = given.map(({ name, text }) => (text === undefined ? `--${name}` : `--${name}=${text}`));
      parseTrainConfig(parseOverrides(args));
      return [];
    } catch (error) {
      return problemsOf(error);
    }
  };
  // A text that is not known yet may become a number: what is said against it is not certain, and may hide the rest.
  const doubtful = new Set(
    complain(judged)
      .map(({ path }) => path)
      .filter((path) => open.includes(path)),
  );
  const certain = complain(judged.filter(({ name }) => !doubtful.has(name))).filter(({ path, message }) => {
    if (open.some((name) => path === name || name.startsWith(`${path}.`))) return false;
    return isComplete || !/, got (nothing|neither)\b/.test(message);
  });
  return [...complaints, ...certain.map(({ path, message }) => `${path === "" ? "" : `--${path}: `}${message}`)];
}
