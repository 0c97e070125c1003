import { checkSettings, type FinalSetting } from "./check-settings.js";
import { copiesTeacher } from "./obsolete-flags.js";
import { type Arguments, certainValue, readArguments, type SettingArg } from "./setting-args.js";
import { judgeSetting, type Verdict } from "./setting-rules.js";
import { lineAt, parseShellScript, type ShellCommand, type Word } from "./shell-script.js";
import { findTrainingCommand, knownVariables, type TrainingCommand, withoutPreamble } from "./training-command.js";
import type { Edit } from "./unified-diff.js";

/** Something a user should know about a line of the old script. */
export interface Note {
  readonly line: number;
  readonly kind: "changed" | "kept" | "warning";
  readonly message: string;
}

export interface Migration {
  /** what to change in the script's text */
  readonly edits: readonly Edit[];
  readonly notes: readonly Note[];
  readonly numTrainingCommands: number;
}

const OTHER_PROGRAM =
  /(^|\/)lerobot\/scripts\/(?!__init__)\w+\.py$|(^|\/)lerobot[-_]\w+(\.py)?$|^lerobot\.scripts\.\w+$/;
const MENTION = /lerobot[-_]train|lerobot[/.]scripts[/.]train\b/;
const TALKS = new Set(["echo", "printf"]);

/** Rewrites the commands of one script. */
class Migrator {
  readonly edits: Edit[] = [];
  readonly notes: Note[] = [];
  readonly #text: string;
  readonly #variables: ReadonlyMap<string, string>;

  constructor(text: string, commands: readonly ShellCommand[]) {
    this.#text = text;
    this.#variables = knownVariables(commands);
  }

  note(word: Word, kind: Note["kind"], message: string): void {
    this.notes.push({ line: lineAt(this.#text, word.start), kind, message });
  }

  migrate(command: TrainingCommand): void {
    const { program, args } = command;
    const given = readArguments(args);
    const policyType = given.settings.filter(({ name }) => name === "policy.type").at(-1);
    const type = policyType && certainValue(policyType);
    if (command.kind === "train" && type !== undefined && type !== "smolvla") {
      this.note(program[0]!, "warning", `left as it is: it trains a policy of type ${String(type)}, not smolvla`);
      return;
    }
    const needsReflow =
      command.kind === "train reflow" && !given.settings.some(({ name }) => /(^|\.)use_reflow$/.test(name));
    if (command.kind !== "reflow train") this.#rewriteProgram(command, needsReflow);
    const verdicts = this.#judge(given, needsReflow);
    const final: FinalSetting[] = needsReflow ? [{ name: "policy.use_reflow", text: "true", isOpen: false }] : [];
    let last: Word = program.at(-1)!;
    for (const word of args) {
      const setting = given.settings.find(({ words }) => words[0] === word);
      if (setting) {
        const kept = this.#applyVerdict(setting, verdicts.get(setting)!, last);
        if (kept) final.push(this.#resolved(setting, kept));
      }
      last = word;
    }
    this.#check(program[0]!, given, final);
  }

  #rewriteProgram({ program, launcher }: TrainingCommand, needsReflow: boolean): void {
    const [first, last] = [program[0]!, program.at(-1)!];
    const text = needsReflow ? "reflow train --policy.use_reflow=true" : "reflow train";
    this.edits.push({ start: first.start, end: last.end, text });
    const old = program.map(({ start, end }) => this.#text.slice(start, end)).join(" ");
    this.note(first, "changed", `"${old}" becomes "${text}"`);
    if (launcher === undefined) return;
    const options = launcher.options.map(({ value }) => value).join(" ");
    const bf16 = /mixed[_-]precision[= ]bf16/.test(options)
      ? ". Add --precision=bf16 to compute in bfloat16 as before"
      : "";
    this.note(
      first,
      "warning",
      `${launcher.name}${options ? ` with ${options}` : ""} is gone: one process trains here, and batch_size counts all ` +
        `samples of a step${bf16}`,
    );
  }

  #judge({ settings }: Arguments, needsReflow: boolean): Map<SettingArg, Verdict> {
    const last = (name: string): SettingArg | undefined =>
      settings.filter((setting) => setting.name === name || setting.name === `policy.${name}`).at(-1);
    const policy = Object.fromEntries(
      ["use_reflow", "student_init", "path", "pretrained_path", "teacher_model_path"].flatMap((name) => {
        const setting = last(name);
        return setting ? [[name, setting.isOpen ? setting.text : certainValue(setting)]] : [];
      }),
    );
    const isReflowOpen = !needsReflow && (last("use_reflow")?.isOpen ?? false);
    const isCopy = copiesTeacher({ policy: { ...policy, ...(needsReflow ? { use_reflow: true } : {}) } });
    const context = {
      copiesTeacher: isReflowOpen ? undefined : isCopy,
      has: (name: string) => settings.some((setting) => setting.name === name),
    };
    return new Map(settings.map((setting) => [setting, judgeSetting(setting, context)]));
  }

  /** @param previous the word before the setting @returns the name under which it stays, if it does */
  #applyVerdict(setting: SettingArg, verdict: Verdict, previous: Word): string | undefined {
    const { name, words } = setting;
    const [first, last] = [words[0]!, words.at(-1)!];
    const written = this.#text.slice(first.start, last.end);
    if (verdict.kind === "remove") {
      // With the blanks and continued lines before it, so that those after it still join its neighbours.
      const gap = /(?:[ \t]|\\\r?\n)*$/.exec(this.#text.slice(previous.end, first.start))![0];
      this.edits.push({ start: first.start - gap.length, end: last.end, text: "" });
      this.note(first, "changed", `${written} is removed: ${verdict.because}`);
      return undefined;
    }
    if (verdict.kind === "rename") {
      const place = this.#text.slice(first.start, first.end).indexOf(`--${name}`);
      if (place < 0) {
        this.note(first, "warning", `${written} is now called --${verdict.to}: change it yourself`);
        return verdict.to;
      }
      const start = first.start + place + 2;
      this.edits.push({ start, end: start + name.length, text: verdict.to });
      this.note(first, "changed", `--${name} becomes --${verdict.to}`);
      return verdict.to;
    }
    if (verdict.because !== undefined) this.note(first, "kept", `${written} stays: ${verdict.because}`);
    return name;
  }

  /** A setting with the script's own variables put in. */
  #resolved({ text, isOpen }: SettingArg, name: string): FinalSetting {
    if (text === undefined || !isOpen) return { name, text, isOpen };
    const resolved = text.replace(
      /\$(?:\{([A-Za-z_]\w*)\}|([A-Za-z_]\w*))/g,
      (written, braced?: string, plain?: string) => this.#variables.get((braced ?? plain)!) ?? written,
    );
    return { name, text: resolved, isOpen: /[$`]/.test(resolved) };
  }

  #check(program: Word, { others }: Arguments, final: readonly FinalSetting[]): void {
    for (const word of others) {
      const message = word.hasExpansion
        ? `${word.value} stays as it is: what it holds is not looked at`
        : word.value.trim() === ""
          ? "a backslash with a blank behind it does not continue a line: the command ends here"
          : `"${word.value}" is no setting (--name=value); reflow train will refuse it`;
      this.note(word, "warning", message);
    }
    const isElsewhere = ({ name, text }: FinalSetting): boolean =>
      name === "config_path" || (name === "resume" && text !== "false");
    const isComplete = !others.some(({ hasExpansion }) => hasExpansion) && !final.some(isElsewhere);
    for (const complaint of checkSettings(final, isComplete))
      this.note(program, "warning", `reflow train will refuse it: ${complaint}`);
  }

  /** What of LeRobot is named outside of commands that train. */
  noteOthers(command: ShellCommand): void {
    if (TALKS.has(withoutPreamble(command)[0]?.value ?? "")) return;
    const word = command.find(({ value }) => OTHER_PROGRAM.test(value) || MENTION.test(value));
    if (word === undefined) return;
    const isTraining = MENTION.test(word.value);
    const message = isTraining
      ? `"${word.value}" names a program that trains, in a way that is not understood: look at it yourself`
      : `"${word.value}" is left as it is: only commands that train are rewritten`;
    this.note(word, "warning", message);
  }
}

/**
 * What to change in a shell script so that it trains with `reflow train` instead of LeRobot's programs. Everything that
 * is not part of a training command, and how commands are laid out, stays. The result needs no further change.
 *
 * @param where names the script in messages
 * @throws ConfigError with the line for a text that is no shell script
 */
export function migrateScript(text: string, where: string): Migration {
  const commands = parseShellScript(text, where);
  const migrator = new Migrator(text, commands);
  let numTrainingCommands = 0;
  for (const command of commands) {
    const training = findTrainingCommand(command);
    if (training === undefined) migrator.noteOthers(command);
    else {
      numTrainingCommands++;
      migrator.migrate(training);
    }
  }
  return { edits: migrator.edits, notes: migrator.notes, numTrainingCommands };
}
