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

type IsSection<Value> = Value extends readonly unknown[] ? false : Value extends object ? true : false;

/** A section with the program's names, its inner sections too. */
export type CamelSection<Section> = {
  readonly [Name in keyof Section as Name extends string ? CamelCase<Name> : never]: IsSection<
    Section[Name]
  > extends true
    ? CamelSection<Section[Name]>
    : NullToUndefined<Section[Name]>;
};

const isSection = (value: unknown): value is object =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A section with the program's names; all levels. */
export const camelSection = <Section extends object>(section: Section): CamelSection<Section> =>
  Object.fromEntries(
    Object.entries(camelKeys(section)).map(([name, value]) => [name, isSection(value) ? camelSection(value) : value]),
  ) as CamelSection<Section>;

/** The inverse of `camelSection`. */
export const snakeSection = (section: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.entries(snakeKeys(section)).map(([name, value]) => [name, isSection(value) ? snakeSection(value) : value]),
  );
