import type { Setting } from "./report-data.js";

/** Nested settings by dotted path, with their values as JSON writes them; lists stay whole. */
export function flattenSettings(value: unknown, path = ""): readonly Setting[] {
  const isNested = typeof value === "object" && value !== null && !Array.isArray(value);
  if (isNested && (path === "" || Object.keys(value).length > 0)) {
    return Object.entries(value).flatMap(([key, inner]) =>
      flattenSettings(inner, path === "" ? key : `${path}.${key}`),
    );
  }
  if (path === "" || value === undefined) return [];
  return [{ path, value: typeof value === "string" ? value : JSON.stringify(value) }];
}
