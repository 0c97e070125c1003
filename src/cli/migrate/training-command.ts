import { basename } from "node:path";
import type { ShellCommand, Word } from "./shell-script.js";

/** A command of a script that trains. */
export interface TrainingCommand {
  /** the words that name the program, from the interpreter or launcher on */
  readonly program: readonly Word[];
  /** what comes after them */
  readonly args: readonly Word[];
  /** what starts the program several times, such as `accelerate launch`, with its options */
  readonly launcher: { readonly name: string; readonly options: readonly Word[] } | undefined;
  /** `reflow train` itself, LeRobot's training, or a separate program for reflow */
  readonly kind: "reflow train" | "train" | "train reflow";
}

/** What may stand before a command. */
const KEYWORDS = new Set(["if", "then", "else", "elif", "do", "while", "until", "!", "{"]);

/** Programs that run the program among their arguments. */
const WRAPPERS = new Set(
  "caffeinate chrt command conda env exec ionice mamba micromamba nice nohup npx numactl pdm pipenv poetry setsid srun stdbuf sudo taskset time timeout uv xvfb-run".split(
    " ",
  ),
);

const ASSIGNMENT = /^[A-Za-z_]\w*(\[[^\]]*\])?\+?=/;
const PYTHON = /(^|\/)python[\d.]*(\.exe)?$|^\$\{?PYTHON\}?$/;
const TRAIN_SCRIPT = /(^|\/)(lerobot\/scripts\/train|lerobot_train|lerobot_train_reflow)\.py$/;
const TRAIN_MODULE = /^(src\.)?lerobot\.scripts\.(train|lerobot_train|lerobot_train_reflow)$/;
const TRAIN_PROGRAM = /(^|\/)lerobot-train$|^(\$\(|`)\s*(which|command -v|type -p)\s+lerobot-train\s*[)`]$/;
const LAUNCHER_MODULE = /^(accelerate\.commands\.launch|torch\.distributed\.(run|launch))$/;

interface Match {
  /** how many words name the program */
  readonly numWords: number;
  readonly launcher?: TrainingCommand["launcher"];
  readonly kind: TrainingCommand["kind"];
}

const kindOf = ({ value }: Word): Match["kind"] => (/train_reflow(\.py)?$/.test(value) ? "train reflow" : "train");

const isProgram = (word: Word): boolean => TRAIN_PROGRAM.test(word.value) || TRAIN_SCRIPT.test(word.value);

/** A launcher's options up to the program that it launches. */
function matchLaunched(words: readonly Word[], from: number, name: string): Match | undefined {
  for (let i = from; i < words.length; i++) {
    const [word, next] = [words[i]!, words[i + 1]];
    const isModule = (word.value === "-m" || word.value === "--module") && next && TRAIN_MODULE.test(next.value);
    if (!isModule && !isProgram(word)) continue;
    const last = isModule ? i + 1 : i;
    return { numWords: last + 1, launcher: { name, options: words.slice(from, i) }, kind: kindOf(words[last]!) };
  }
  return undefined;
}

function matchPython(words: readonly Word[]): Match | undefined {
  let i = 1;
  while (words[i]?.value.startsWith("-") && words[i]!.value !== "-m") i += /^-[XW]$/.test(words[i]!.value) ? 2 : 1;
  const [word, next] = [words[i], words[i + 1]];
  if (word?.value !== "-m")
    return word && TRAIN_SCRIPT.test(word.value) ? { numWords: i + 1, kind: kindOf(word) } : undefined;
  if (next && TRAIN_MODULE.test(next.value)) return { numWords: i + 2, kind: kindOf(next) };
  return next && LAUNCHER_MODULE.test(next.value) ? matchLaunched(words, i + 2, `python -m ${next.value}`) : undefined;
}

/** Whether words begin with a program that trains. */
function matchProgram(words: readonly Word[]): Match | undefined {
  const [first, second] = words;
  if (first === undefined) return undefined;
  const name = basename(first.value);
  if (name === "reflow" && second?.value === "train") return { numWords: 2, kind: "reflow train" };
  if (isProgram(first)) return { numWords: 1, kind: kindOf(first) };
  if (PYTHON.test(first.value)) return matchPython(words);
  if (name === "accelerate" && second?.value === "launch") return matchLaunched(words, 2, "accelerate launch");
  return name === "torchrun" ? matchLaunched(words, 1, name) : undefined;
}

/** A command without the keywords and variables before its first program. */
export function withoutPreamble(command: ShellCommand): readonly Word[] {
  const start = command.findIndex(({ value }) => !KEYWORDS.has(value) && !ASSIGNMENT.test(value));
  return start < 0 ? [] : command.slice(start);
}

/** What of a command trains, or undefined if nothing does. Variables, and programs such as `nohup`, may stand before it. */
export function findTrainingCommand(command: ShellCommand): TrainingCommand | undefined {
  const all = withoutPreamble(command);
  const isWrapped = all[0] !== undefined && WRAPPERS.has(basename(all[0].value));
  for (let from = 0; from < (isWrapped ? all.length : Math.min(1, all.length)); from++) {
    const words = all.slice(from);
    const match = matchProgram(words);
    if (match === undefined) continue;
    const { numWords, launcher, kind } = match;
    return { program: words.slice(0, numWords), args: words.slice(numWords), launcher, kind };
  }
  return undefined;
}

/** The script's own variables whose value is certain: set once, to a text without expansions. */
export function knownVariables(commands: readonly ShellCommand[]): ReadonlyMap<string, string> {
  const values = new Map<string, string | undefined>();
  for (const { value, hasExpansion } of commands.flat()) {
    const [, name, isPlain] = /^([A-Za-z_]\w*)((?:\[[^\]]*\])?\+?)=/.exec(value) ?? [];
    if (name === undefined) continue;
    const isCertain = isPlain === "" && !hasExpansion && !values.has(name);
    values.set(name, isCertain ? value.slice(name.length + 1) : undefined);
  }
  return new Map([...values].filter((entry): entry is [string, string] => entry[1] !== undefined));
}
