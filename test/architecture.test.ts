/** The rules of docs/notes/architecture.md that a program can check. Every broken one is explained in a sentence. */
import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, normalize, relative } from "node:path";
import ts from "typescript";
import { describe, expect, it } from "vitest";

/** Which folder of `src` may import which. `cli` and `demo.ts` may import everything. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  support: [],
  torch: ["support"],
  nn: ["torch", "support"],
  optim: ["torch", "support"],
  flow: ["torch", "support"],
  hub: ["support"],
  records: ["support"],
  env: ["support"],
  data: ["hub", "support"],
  smolvla: ["nn", "torch", "support"],
  policy: ["smolvla", "flow", "data", "hub", "torch", "support"],
  train: ["policy", "eval", "smolvla", "optim", "flow", "data", "hub", "records", "torch", "support"],
  eval: ["policy", "smolvla", "flow", "data", "records", "torch", "support"],
  rollout: ["env", "eval", "policy", "smolvla", "flow", "data", "torch", "support"],
  compare: ["rollout", "env", "eval", "policy", "smolvla", "flow", "data", "torch", "support"],
  report: ["compare", "rollout", "env", "eval", "records", "policy", "support"],
  doctor: ["train", "eval", "policy", "smolvla", "optim", "flow", "data", "hub", "records", "torch", "support"],
};

/** What talks to the process around it: prints, arguments, environment, exit codes. */
const PROCESS_PARTS = ["argv", "env", "exit", "exitCode", "stdout", "stderr", "stdin"];
const TALKS_TO_PROCESS = new Set(["cli", "demo.ts"]);
/** The loader of the native library, and the hub's settings, which are environment variables by convention. */
const MAY_READ_ENVIRONMENT = ["src/torch/native.ts", "src/hub/"];

interface SourceFile {
  readonly path: string;
  /** the folder directly in `src`, or the file's own name there */
  readonly folder: string;
  readonly tree: ts.SourceFile;
  readonly imports: readonly string[];
}

const isProduct = (path: string): boolean => !path.endsWith(".test.ts") && !path.split("/").includes("testing");

function filesIn(folder: string, extensions: readonly string[]): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .filter((path) => extensions.some((extension) => path.endsWith(extension)) && !path.includes("node_modules"))
    .map((path) => join(folder, path))
    .sort();
}

const SOURCES: readonly SourceFile[] = filesIn("src", [".ts"])
  .filter(isProduct)
  .map((path) => {
    const text = readFileSync(path, "utf8");
    return {
      path,
      folder: relative("src", path).split("/")[0]!,
      tree: ts.createSourceFile(path, text, ts.ScriptTarget.ES2022, true),
      imports: ts.preProcessFile(text).importedFiles.map(({ fileName }) => fileName),
    };
  });

/** Calls `visit` for every node of a file; comments are none. */
function forEachNode(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => forEachNode(child, visit));
}

/** What `find` says about any node of any source, with the place. */
function findings(find: (node: ts.Node, file: SourceFile) => string | undefined): string[] {
  return SOURCES.flatMap((file) => {
    const found: string[] = [];
    forEachNode(file.tree, (node) => {
      const finding = find(node, file);
      const { line } = file.tree.getLineAndCharacterOfPosition(node.getStart());
      if (finding !== undefined) found.push(`${file.path}:${line + 1} ${finding}`);
    });
    return found;
  });
}

const listed = (names: readonly string[]): string =>
  names.length === 0 ? "nothing of ours" : `only ${names.join(", ")}`;

/** The part of `process` that a node uses, such as `env`. */
function processPart(node: ts.Node): string | undefined {
  if (!ts.isPropertyAccessExpression(node) || node.expression.getText() !== "process") return undefined;
  return PROCESS_PARTS.find((part) => part === node.name.text);
}

describe("folders", () => {
  it("import only what stands below them", () => {
    const forbidden = SOURCES.flatMap(({ path, folder, imports }) => {
      const allowed = MAY_IMPORT[folder];
      if (allowed === undefined) return [];
      return imports
        .filter((name) => name.startsWith("."))
        .map((name) => normalize(join(dirname(path), name)))
        .filter((target) => ![folder, ...allowed].includes(relative("src", target).split("/")[0]!))
        .map((target) => `${path} imports ${target}, but ${folder} may import ${listed(allowed)}.`);
    });
    expect(forbidden).toEqual([]);
  });

  it("are all in the table", () => {
    const unknown = [...new Set(SOURCES.map(({ folder }) => folder))].filter(
      (folder) => !(folder in MAY_IMPORT) && !["cli", "demo.ts", "index.ts"].includes(folder),
    );
    expect(unknown.map((folder) => `src/${folder} is not in the table of who may import whom.`)).toEqual([]);
  });

  it("have the same table in docs/notes/architecture.md", () => {
    const page = readFileSync("docs/notes/architecture.md", "utf8");
    const [, table] = /\| folder +\| may import +\|\n\|[-| ]+\|\n((?:\|.*\|\n)+)/.exec(page)!;
    const quoted = (cell: string): string[] => Array.from(cell.matchAll(/`([\w.]+)`/g), ([, name]) => name!);
    const documented: Record<string, string[]> = {};
    for (const row of table!.trim().split("\n")) {
      const [, folders, imports] = row.split("|") as [string, string, string];
      // What follows in brackets is a remark.
      for (const folder of quoted(folders)) documented[folder] = quoted(imports.replace(/\(.*/, ""));
    }
    const { cli, "demo.ts": demo, "index.ts": index, ...rest } = documented;
    expect(rest).toEqual(MAY_IMPORT);
    expect([cli, demo, index]).toEqual([[], [], []]);
  });

  it("reach the native bridge through torch alone", () => {
    const reaching = SOURCES.filter(({ folder }) => folder !== "torch").flatMap(({ path, imports }) =>
      imports
        .filter((name) => /(^|\/)torch\/native\.js$|\.node$|(^|\/)build\//.test(name))
        .map((name) => `${path} imports ${name}, but only src/torch may touch the native bridge.`),
    );
    expect(reaching).toEqual([]);
  });
});

describe("files", () => {
  it("use relative names that end in .js, of this package", () => {
    const odd = SOURCES.flatMap(({ path, imports }) =>
      imports
        .filter((name) =>
          name.startsWith(".") ? !name.endsWith(".js") : name.startsWith("/") || name === "reflow-vla",
        )
        .map(
          (name) => `${path} imports "${name}", but files of this package are named by relative paths ending in .js.`,
        ),
    );
    expect(odd).toEqual([]);
  });

  it("are kebab-case and named after what they hold", () => {
    const paths = ["src", "test", "examples", "scripts", "bench"].flatMap((folder) =>
      filesIn(folder, [".ts", ".mjs", ".mts"]),
    );
    const odd = paths.flatMap((path) => {
      const names = path.split("/").map((name) => name.replace(/(\.test|\.d)?\.(ts|mjs|mts)$/, ""));
      if (names.every((name) => /^[a-z0-9]+([.-][a-z0-9]+)*$/.test(name))) return [];
      return [`${path} is not kebab-case.`];
    });
    const vague = paths
      .filter((path) => /(^|[/.-])(utils?|helpers?|misc|manager|common)([/.-])/.test(path))
      .map((path) => `${path} has a name that says nothing about its content.`);
    expect([...odd, ...vague]).toEqual([]);
  });

  it("of the public API only pass on names", () => {
    const index = SOURCES.find(({ path }) => path === "src/index.ts")!;
    const other = index.tree.statements.filter((statement) => !ts.isExportDeclaration(statement));
    expect(other.map((statement) => `src/index.ts holds \`${statement.getText()}\`, but may only re-export.`)).toEqual(
      [],
    );
  });
});

describe("code", () => {
  it("prints, reads arguments and sets exit codes in cli and demo alone", () => {
    const talking = findings((node, { folder }) => {
      if (TALKS_TO_PROCESS.has(folder)) return undefined;
      if (ts.isPropertyAccessExpression(node) && node.expression.getText() === "console") {
        return `uses ${node.getText()}, but only cli and demo print.`;
      }
      const part = processPart(node);
      if (part === undefined || part === "env") return undefined;
      return `uses process.${part}, but only cli and demo talk to the process around them.`;
    });
    expect(talking).toEqual([]);
  });

  it("makes folders with makeFolder, which returns wherever they are asked for", () => {
    const own = findings((node, { path }) => {
      if (!ts.isCallExpression(node) || node.expression.getText() !== "mkdir" || path.startsWith("src/support/"))
        return;
      return node.arguments.length > 1 ? "makes folders above it too: use makeFolder of src/support." : undefined;
    });
    expect(own).toEqual([]);
  });

  it("reads the environment in cli, demo, hub and the native loader alone", () => {
    const reading = findings((node, { path, folder }) => {
      const isAllowed = TALKS_TO_PROCESS.has(folder) || MAY_READ_ENVIRONMENT.some((place) => path.startsWith(place));
      return processPart(node) !== "env" || isAllowed
        ? undefined
        : "uses process.env, but settings reach it as arguments.";
    });
    expect(reading).toEqual([]);
  });

  it("says noise and actions, never x0 and x1", () => {
    const unclear = findings((node) =>
      ts.isIdentifier(node) && /^x_?[01]$/i.test(node.text)
        ? `has the name ${node.text}, which means noise in one literature and data in another.`
        : undefined,
    );
    expect(unclear).toEqual([]);
  });

  it("draws random numbers from generators that are given, not from a global source", () => {
    const global = findings((node) =>
      ts.isPropertyAccessExpression(node) && node.getText() === "Math.random"
        ? "uses Math.random, but randomness enters as an argument."
        : undefined,
    );
    expect(global).toEqual([]);
  });
});
