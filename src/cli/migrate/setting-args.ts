import { parseValue } from "../overrides.js";
import type { Word } from "./shell-script.js";

/** A setting among the arguments of a training command. */
export interface SettingArg {
  /** dotted, without the dashes */
  readonly name: string;
  /** `--name=value` in one word, or `--name` and `value` in two, or `--name` alone */
  readonly words: readonly Word[];
  /** its text without quotes; undefined if there is none */
  readonly text: string | undefined;
  /** whether the text is known only when the script runs */
  readonly isOpen: boolean;
}

export interface Arguments {
  readonly settings: readonly SettingArg[];
  /** words that are no settings, or expand to unknown ones */
  readonly others: readonly Word[];
}

/** As for `reflow train`: a dash begins no value, unless it is that of a negative number. */
const isValue = (word: Word | undefined): word is Word =>
  word !== undefined && (!word.value.startsWith("-") || typeof parseValue(word.value) === "number");

export function readArguments(args: readonly Word[]): Arguments {
  const settings: SettingArg[] = [];
  const others: Word[] = [];
  for (let i = 0; i < args.length; i++) {
    const word = args[i]!;
    const [, name, equals, text] = /^--([\w.-]+)(?:(=)([\s\S]*))?$/.exec(word.value) ?? [];
    if (name === undefined) others.push(word);
    else if (equals !== undefined) settings.push({ name, words: [word], text, isOpen: word.hasExpansion });
    else {
      const value = isValue(args[i + 1]) ? args[++i]! : undefined;
      const words = value === undefined ? [word] : [word, value];
      settings.push({ name, words, text: value?.value, isOpen: value?.hasExpansion ?? false });
    }
  }
  return { settings, others };
}

/** The value of a setting if it is certain now; `--name` alone means true. */
export const certainValue = ({ text, isOpen }: SettingArg): unknown => {
  if (isOpen) return undefined;
  try {
    return text === undefined ? true : parseValue(text);
  } catch {
    return text;
  }
};
