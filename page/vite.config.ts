import { fileURLToPath } from "node:url";
import { defineConfig } from "vite";
import { viteSingleFile } from "vite-plugin-singlefile";

/** The report's page as one HTML file. `scripts/build-page.mjs` moves it to where the program looks for it. */
export default defineConfig({
  root: fileURLToPath(new URL(".", import.meta.url)),
  logLevel: "warn",
  plugins: [viteSingleFile()],
  build: { target: "es2022", outDir: "../build/page", emptyOutDir: true },
});
