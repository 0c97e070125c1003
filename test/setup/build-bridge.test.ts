import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

/** A copy of what builds the bridge, with nothing built, and a PATH that holds only what a test puts there. */
let project: string;
let bin: string;
const { torchRoot } = JSON.parse(readFileSync("build/bridge.json", "utf8")) as { torchRoot: string };

beforeEach(() => {
  project = mkdtempSync(join(tmpdir(), "reflow-setup-"));
  bin = join(project, "bin");
  for (const folder of ["scripts", "native"]) cpSync(folder, join(project, folder), { recursive: true });
  mkdirSync(join(project, "node_modules"));
  symlinkSync(resolve("node_modules/node-api-headers"), join(project, "node_modules", "node-api-headers"));
  mkdirSync(bin);
  symlinkSync("/bin/sh", join(bin, "sh"));
});
afterEach(() => rmSync(project, { recursive: true, force: true }));

function build(env: NodeJS.ProcessEnv = {}): { status: number | null; text: string } {
  const script = join(project, "scripts", "build-bridge.mjs");
  const { status, stdout, stderr } = spawnSync(process.execPath, [script], {
    encoding: "utf8",
    env: { PATH: bin, ...env },
  });
  return { status, text: stdout + stderr };
}

function program(name: string, lines: string): void {
  writeFileSync(join(bin, name), `#!/bin/sh\n${lines}\n`);
  chmodSync(join(bin, name), 0o755);
}

function fakeTorch(version: string): string {
  const root = join(project, `torch-${version}`);
  mkdirSync(join(root, "include", "ATen"), { recursive: true });
  writeFileSync(join(root, "version.py"), `__version__ = '${version}'\n`);
  writeFileSync(join(root, "include", "ATen", "ATen.h"), "");
  return root;
}

describe("building the bridge refuses, with what to do", () => {
  it("an explicit libtorch that is none", () => {
    const { status, text } = build({ REFLOW_LIBTORCH: "/nowhere" });
    expect(status).toBe(1);
    expect(text).toContain("REFLOW_LIBTORCH=/nowhere: expected the folder of a Python torch package");
  });

  it.each(["2.10.1", "2.15.0", "3.0.0+cu130"])("torch %s", (version) => {
    const { status, text } = build({ REFLOW_LIBTORCH: fakeTorch(version) });
    expect(status).toBe(1);
    expect(text).toContain(
      `torch ${version} in ${join(project, `torch-${version}`)} is not a version this release is built for (2.11 to 2.14)`,
    );
  });

  it("a machine without Python", () => {
    const { status, text } = build();
    expect(status).toBe(1);
    expect(text).toContain("no python3 on the path. Install Python 3.10 or newer with pip and venv");
  });

  it("a Python without pip", () => {
    program("python3", 'case "$*" in *venv*) echo "No module named venv" >&2; exit 1;; esac');
    const { status, text } = build();
    expect(status).toBe(1);
    expect(text).toContain("cannot be made");
    expect(text).toContain("Install pip and venv for python3");
    expect(text).toContain("No module named venv");
  });

  it("a pip that cannot install torch", () => {
    const inner = '#!/bin/sh\\ncase "$*" in *install*) echo "no such release" >&2; exit 1;; esac\\n';
    program(
      "python3",
      `case "$*" in *venv*) for last; do :; done; /bin/mkdir -p "$last/bin"; printf '${inner}' > "$last/bin/python"; /bin/chmod +x "$last/bin/python";; esac`,
    );
    const { status, text } = build();
    expect(status).toBe(1);
    expect(text).toContain("pip could not install torch==2.13.0");
    expect(text).toContain("no such release");
  });

  it("a machine without a C++ compiler", () => {
    const { status, text } = build({ REFLOW_LIBTORCH: torchRoot });
    expect(status).toBe(1);
    expect(text).toContain(
      "no C++ compiler on the path. Install g++ 11 or clang 14, or newer (Debian: apt install g++",
    );
  });

  it("a compiler that fails, with what it said", () => {
    program("g++", 'case "$*" in --version) echo "g++ 1.0";; *) echo "addon.cc:1: error: too old" >&2; exit 1;; esac');
    const { status, text } = build({ REFLOW_LIBTORCH: torchRoot });
    expect(status).toBe(1);
    expect(text).toContain("g++ could not build the bridge:\naddon.cc:1: error: too old");
  });
});

describe("building the bridge", () => {
  it("passes over a python3 whose torch is of another version, and takes the project's own", () => {
    program("python3", `echo ${fakeTorch("2.5.0")}`);
    mkdirSync(join(project, ".venv", "bin"), { recursive: true });
    writeFileSync(join(project, ".venv", "bin", "python"), `#!/bin/sh\necho ${torchRoot}\n`, { mode: 0o755 });
    program("g++", 'case "$*" in --version) echo "g++ 1.0";; *) while [ "$1" != -o ]; do shift; done; : > "$2";; esac');
    const { status, text } = build();
    expect(text).toContain("torch 2.5.0");
    expect(text).toContain("looking further");
    expect(status).toBe(0);
    const record = JSON.parse(readFileSync(join(project, "build", "bridge.json"), "utf8")) as { torchRoot: string };
    expect(record.torchRoot).toBe(torchRoot);
  });

  it("compiles once per torch, compiler and source", () => {
    program(
      "g++",
      'case "$*" in --version) echo "g++ 1.0";; *) echo compiled >> "$COUNT"; while [ "$1" != -o ]; do shift; done; : > "$2";; esac',
    );
    const count = join(project, "count");
    const numCompiled = (): number => {
      expect(build({ REFLOW_LIBTORCH: torchRoot, COUNT: count }).status).toBe(0);
      return readFileSync(count, "utf8").trim().split("\n").length;
    };
    expect(numCompiled()).toBe(1);
    expect(numCompiled()).toBe(1);
    writeFileSync(join(project, "native", "guard.h"), "// changed\n", { flag: "a" });
    expect(numCompiled()).toBe(2);
  });
});
