/**
 * Between the names of files and command lines (`batch_size`, null for "not set") and those of the program (`batchSize`,
 * undefined for "not set").
 */

type CamelCase<Name extends string> = Name extends `${infer Head}_${infer Tail}`
  ? `${Head}${Capitalize<CamelCase<Tail>>}`
  : Name;

type NullToUndefined<Value> = null extends Value ? Exclude<Value, null> | undefined : Value;

/** A section with the program's names; values keep their own names. */
export type CamelKeys<Section> = {
  readonly [Name in keyof Section as Name extends string ? CamelCase<Name> : never]: NullToUndefined<Section[Name]>;
};

const camelCase = (name: string): string => name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

/** A section of a file with the program's names; one level deep. */
export const camelKeys = <Section extends object>(section: Section): CamelKeys<Section> =>
  Object.fromEntries(
    Object.entries(section).map(([name, value]) => [camelCase(name), value === null ? undefined : value]),
  ) as CamelKeys<Section>;

/** The inverse of `camelKeys`. */
export const snakeKeys = (section: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(section).map(([name, value]) => [snakeCase(name), value === undefined ? null : value]),
  );
