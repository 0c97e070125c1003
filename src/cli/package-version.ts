import { readFileSync } from "node:fs";

/** The package's version; `package.json` lies two folders above both the source and the build. */
export function packageVersion(): string {
  const file = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
  return (JSON.parse(file) as { readonly version: string }).version;
}
