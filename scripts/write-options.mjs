/** Writes docs/guide/options.md from the settings that the built program knows. `npm run docs` builds and runs this. */
import { writeFileSync } from "node:fs";
import { formatOptionsPage } from "../dist/cli/options-page.js";

writeFileSync(new URL("../docs/guide/options.md", import.meta.url), formatOptionsPage());
