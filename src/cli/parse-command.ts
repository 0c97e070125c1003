import { Argument, Command as Commander, InvalidArgumentError, Option } from "commander";
import type { Command, Invocation, OptionSpec } from "./command.js";

/** Turns a command's declaration into a parser and its help. */

const SETTINGS_TITLE =
  "Settings (--name=value or --name value, values in YAML; --config_path=<file> first, then these):";

function parseScalar(text: string, { kind, choices }: OptionSpec): string | number {
  if (choices && !choices.includes(text)) {
    throw new InvalidArgumentError(`Expected one of ${choices.join(", ")}.`);
  }
  if (kind === "text") return text;
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value) || (kind === "integer" && !Number.isSafeInteger(value))) {
    throw new InvalidArgumentError(kind === "integer" ? "Expected a whole number." : "Expected a number.");
  }
  return value;
}

function optionFrom(name: string, spec: OptionSpec): Option {
  const value = spec.kind === "flag" ? "" : ` <${spec.placeholder ?? spec.kind}>`;
  const choices = spec.choices ? ` (one of ${spec.choices.join(", ")})` : "";
  const repeatable = spec.isRepeatable ? " (may be repeated)" : "";
  const short = spec.short === undefined ? "" : `-${spec.short}, `;
  const option = new Option(`${short}--${name}${value}`, `${spec.description}${choices}${repeatable}`);
  if (spec.isRepeatable) option.default([], "none");
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.kind === "flag") return option.default(false, "off");
  return option.argParser((text, previous: unknown) => {
    const scalar = parseScalar(text, spec);
    return spec.isRepeatable ? [...(previous as unknown[]), scalar] : scalar;
  });
}

function indented(title: string, lines: readonly string[]): string {
  return lines.length === 0 ? "" : `\n${title}\n${lines.map((line) => `  ${line}`).join("\n")}`;
}

function settingLines({ settings = [] }: Command): readonly string[] {
  const width = Math.max(0, ...settings.map(({ name }) => name.length));
  return settings.map(({ name, description }) => `--${name.padEnd(width)}  ${description}`);
}

function commanderFor(command: Command): { parser: Commander; options: ReadonlyMap<string, Option> } {
  const parser = new Commander(`reflow ${command.name}`)
    .description(command.description ? `${command.summary}\n\n${command.description}` : command.summary)
    .helpOption("-h, --help", "show this help")
    .showHelpAfterError(`("reflow ${command.name} --help" shows what it takes)`)
    .exitOverride();
  for (const [name, spec] of Object.entries(command.arguments ?? {})) {
    const label = spec.isVariadic ? `${name}...` : name;
    parser.addArgument(new Argument(spec.isOptional ? `[${label}]` : `<${label}>`, spec.description));
  }
  const options = Object.entries(command.options ?? {}).map(([name, spec]) => [name, optionFrom(name, spec)] as const);
  for (const [, option] of options) parser.addOption(option);
  if (command.settings) parser.allowUnknownOption().allowExcessArguments().usage("[options] [--setting=value ...]");
  parser.addHelpText(
    "after",
    indented(SETTINGS_TITLE, settingLines(command)) + indented("Examples:", command.examples ?? []),
  );
  return { parser, options: new Map(options) };
}

/**
 * What the arguments of a command mean.
 *
 * @param write receives help, `writeError` complaints
 * @throws CommanderError when help was asked for (exit code 0) or the arguments do not fit (others); it has been written then
 */
export function parseCommand(
  command: Command,
  args: readonly string[],
  { write, writeError }: { readonly write: (text: string) => void; readonly writeError: (text: string) => void },
): Invocation {
  const { parser, options } = commanderFor(command);
  parser.configureOutput({ writeOut: write, writeErr: writeError }).parse([...args], { from: "user" });
  const given: Record<string, unknown> = parser.opts();
  // Not left to the parser, which looks for missing options first and so takes a misspelt one for a missing one.
  for (const [name, option] of options) {
    if (command.options?.[name]?.isRequired && given[option.attributeName()] === undefined) {
      parser.error(`error: required option '${option.flags}' is missing`, {
        code: "commander.missingMandatoryOptionValue",
      });
    }
  }
  const names = Object.keys(command.arguments ?? {});
  const values = names.map((name, i) => [name, parser.processedArgs[i] as string | string[] | undefined] as const);
  return {
    arguments: Object.fromEntries(values) as Invocation["arguments"],
    options: Object.fromEntries(
      [...options].map(([name, option]) => [name, given[option.attributeName()]]),
    ) as Invocation["options"],
    settings: command.settings ? parser.args.slice(names.length) : [],
  };
}
