// Runs one benchmark by its name: `npm run bench -- NAME [option...]`.
import { readdirSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

const NOT_ALONE = ["run.mjs", "our-reflow-step.mjs"];
const names = readdirSync(dirname(fileURLToPath(import.meta.url)))
  .filter((file) => file.endsWith(".mjs") && !NOT_ALONE.includes(file))
  .map((file) => file.slice(0, -".mjs".length));

const [name] = process.argv.splice(2, 1);
if (names.includes(name)) await import(`./${name}.mjs`);
else {
  console.error(`bench: expected one of ${names.join(", ")}, got ${name ?? "nothing"}. See bench/README.md`);
  process.exitCode = 1;
}
