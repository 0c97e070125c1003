import type { z } from "zod";
import { ConfigError, type ConfigProblem } from "./errors.js";
import { didYouMean } from "./nearest-name.js";

/** What a schema hides under its defaults and options; the part of zod's own definition that is read here. */
interface SchemaNode {
  readonly shape?: Readonly<Record<string, SchemaNode>>;
  readonly def: {
    readonly innerType?: SchemaNode;
    readonly valueType?: SchemaNode;
    readonly keyType?: { readonly options?: readonly string[] };
    readonly element?: SchemaNode;
    readonly in?: SchemaNode;
  };
}

const EXPECTED_NAMES: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a text",
  boolean: "true or false",
  object: "an object",
  record: "an object",
  array: "a list",
  tuple: "a list",
};

/** A value in a message is there to be recognised, however long it is. */
const MOST_LETTERS = 200;

function show(value: unknown): string {
  if (value === undefined) return "nothing";
  const text = JSON.stringify(value);
  return text.length <= MOST_LETTERS ? text : `${text.slice(0, MOST_LETTERS)}...`;
}

/** The keys that are known at a path, following the schema through defaults, options, records and lists. */
function keysAt(schema: SchemaNode, path: readonly PropertyKey[]): readonly string[] {
  let node: SchemaNode | undefined = schema;
  for (const key of [...path, undefined]) {
    while (node !== undefined && node.shape === undefined && (node.def.innerType ?? node.def.in) !== undefined) {
      node = node.def.innerType ?? node.def.in;
    }
    if (key === undefined) break;
    node = node?.shape?.[String(key)] ?? node?.def.valueType ?? node?.def.element;
  }
  return node?.def.keyType?.options ?? Object.keys(node?.shape ?? {});
}

function describe(issue: z.core.$ZodIssue): string {
  const got = show(issue.input);
  switch (issue.code) {
    case "invalid_type":
      return `expected ${EXPECTED_NAMES[issue.expected] ?? issue.expected}, got ${got}`;
    case "invalid_value": {
      const values = issue.values.map((value) => show(value));
      const hint = typeof issue.input === "string" ? didYouMean(issue.input, issue.values.map(String)) : "";
      return `expected ${values.length === 1 ? values[0] : `one of ${values.join(", ")}`}, got ${got}${hint}`;
    }
    case "too_small":
    case "too_big": {
      const limit = issue.code === "too_small" ? issue.minimum : issue.maximum;
      if (issue.origin === "array") return `expected a list of ${limit} entries, got ${got}`;
      const bound = issue.code === "too_small" ? ["at least", "above"] : ["at most", "below"];
      const noun =
        issue.origin === "string" ? "a text that is not empty" : `a number ${limitText(bound, issue, limit)}`;
      return `expected ${noun}, got ${got}`;
    }
    default:
      return issue.message;
  }
}

const limitText = (bound: readonly string[], issue: { inclusive?: boolean }, limit: unknown): string =>
  issue.inclusive === false ? `${bound[1]} ${limit}` : `of ${bound[0]} ${limit}`;

/**
 * Checks a value read from a file or given by a user against a schema, and gives back the typed value.
 *
 * @param where names the source in the user's own words, for example the file's path
 * @throws ConfigError with every problem at once, each with its dotted path; a misspelt key gets the nearest known one
 */
export function parseWithSchema<T>(schema: z.ZodType<T>, value: unknown, where: string): T {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const problems = result.error.issues.flatMap((issue): ConfigProblem[] => {
    const path = issue.path.map(String).join(".");
    if (issue.code !== "unrecognized_keys") return [{ path, message: describe(issue) }];
    const known = keysAt(schema as unknown as SchemaNode, issue.path);
    return issue.keys.map((key) => ({
      path: [...issue.path.map(String), key].join("."),
      message: `unknown key${didYouMean(key, known)}`,
    }));
  });
  throw new ConfigError(where, problems);
}
