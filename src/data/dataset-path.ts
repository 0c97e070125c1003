import { isAbsolute, join, normalize, sep } from "node:path";
import { DatasetError } from "../support/errors.js";

/**
 * A path that a dataset's own files name, as a path on this machine.
 *
 * @throws DatasetError if it leaves the dataset's folder: what a dataset says about itself is not to be trusted
 */
export function pathInDataset(root: string, relative: string, where: string): string {
  const normal = normalize(relative);
  if (relative === "" || isAbsolute(normal) || normal === ".." || normal.startsWith(`..${sep}`)) {
    throw new DatasetError(`${where}: expected a path inside the dataset's folder, got ${JSON.stringify(relative)}`);
  }
  return join(root, normal);
}

/**
 * Fills a path template of `meta/info.json`, such as `data/chunk-{chunk_index:03d}/file-{file_index:03d}.parquet`.
 *
 * @throws DatasetError for a placeholder that has no value
 */
export function fillPathTemplate(
  template: string,
  values: Readonly<Record<string, number | string>>,
  where: string,
): string {
  return template.replace(/\{([^{}:]*)(?::([^{}]*))?\}/g, (placeholder, name: string, format: string | undefined) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    const width = format === undefined ? "" : /^0?(\d{0,2})d$/.exec(format)?.[1];
    if (value === undefined || width === undefined) {
      throw new DatasetError(
        `${where}: expected placeholders among ${Object.keys(values).join(", ")}, got ${placeholder} in "${template}"`,
      );
    }
    return String(value).padStart(Number(width), "0");
  });
}
