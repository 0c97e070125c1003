import { ConfigError } from "../../support/errors.js";
import { didYouMean } from "../../support/nearest-name.js";

/** Entries of `a,b,c`, without brackets if they were given. @throws ConfigError if there are fewer than two, or one twice */
function readList(option: string, text: string, what: string): readonly string[] {
  const entries = text
    .replace(/^\s*\[|\]\s*$/g, "")
    .split(",")
    .map((entry) => entry.trim());
  if (entries.length < 2 || entries.includes("")) {
    throw new ConfigError(`--${option}`, `expected at least two ${what}, got "${text}"`);
  }
  return entries;
}

function expectDistinct(option: string, values: readonly unknown[], what: string): void {
  const twice = values.find((value, i) => values.indexOf(value) < i);
  if (twice !== undefined) throw new ConfigError(`--${option}`, `expected different ${what}, got ${twice} twice`);
}

/** Learning rates of `1e-5,2e-5`, in rising order. @throws ConfigError */
export function readRates(text: string): readonly number[] {
  const what = "learning rates, such as 1e-5,2e-5,5e-5";
  const rates = readList("lrs", text, what).map((entry) => {
    const rate = Number(entry);
    if (Number.isFinite(rate) && rate > 0) return rate;
    throw new ConfigError("--lrs", `expected numbers above 0, got "${entry}"`);
  });
  expectDistinct("lrs", rates, "learning rates");
  return [...rates].sort((a, b) => a - b);
}

/** Some of the names of `choices`, in the order given. @throws ConfigError */
export function readChoices<const Choice extends string>(
  option: string,
  text: string,
  choices: readonly Choice[],
): readonly Choice[] {
  const chosen = readList(option, text, `of ${choices.join(", ")}`).map((entry) => {
    const choice = choices.find((name) => name === entry);
    if (choice !== undefined) return choice;
    throw new ConfigError(
      `--${option}`,
      `expected some of ${choices.join(", ")}, got "${entry}"${didYouMean(entry, choices)}`,
    );
  });
  expectDistinct(option, chosen, "entries");
  return chosen;
}
