import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { command } from "../../src/cli/commands/migrate.js";
import { migrateScript } from "../../src/cli/migrate/migrate-script.js";
import { parseShellScript } from "../../src/cli/migrate/shell-script.js";
import { applyEdits, unifiedDiff } from "../../src/cli/migrate/unified-diff.js";
import { parseOverrides } from "../../src/cli/overrides.js";
import { ConfigError } from "../../src/support/errors.js";
import { parseTrainConfig, type TrainConfig } from "../../src/train/config.js";
import { runCommand } from "./run-command.js";

let root: string;
beforeAll(() => {
  root = mkdtempSync(join(tmpdir(), "migrate-"));
  mkdirSync(join(root, "bin"));
  // What a script starts only says with which arguments.
  const stub = '#!/bin/bash\nprintf "%s\\0" "$(basename "$0")" "$@"; printf "\\n\\0"\n';
  for (const name of ["reflow", "python", "accelerate", "lerobot-train"]) {
    writeFileSync(join(root, "bin", name), stub, { mode: 0o755 });
  }
});
afterAll(() => rmSync(root, { recursive: true }));

const migrated = (script: string): string => applyEdits(script, migrateScript(script, "train.sh").edits);
const notes = (script: string): string[] =>
  migrateScript(script, "train.sh").notes.map(({ line, kind, message }) => `${line} ${kind}: ${message}`);

/** The command lines that a script starts when bash runs it. */
function started(script: string): string[][] {
  const path = join(root, "script.sh");
  writeFileSync(path, script);
  const env = { PATH: `${join(root, "bin")}:${process.env.PATH}` };
  const { stdout, stderr, status } = spawnSync("bash", [path], { encoding: "utf8", env, cwd: root });
  expect([status, stderr]).toEqual([0, ""]);
  return stdout
    .split("\n\0")
    .slice(0, -1)
    .map((line) => line.split("\0").slice(0, -1));
}

/** What `reflow train` makes of the only command that a script starts. */
function config(script: string): TrainConfig {
  const commands = started(migrated(script));
  expect(commands).toHaveLength(1);
  const [program, name, ...args] = commands[0]!;
  expect([program, name]).toEqual(["reflow", "train"]);
  return parseTrainConfig(parseOverrides(args)).config;
}

const REFLOW_SCRIPT = `#!/bin/bash
set -e  # it's strict
TEACHER="runs/my teacher"
LR="2e-5"
GPU=2
if [ -z "$TEACHER" ]; then echo "no python lerobot/scripts/train.py"; fi
# python lerobot/scripts/train.py --policy.load_vlm_weights=false
CUDA_VISIBLE_DEVICES=$GPU python src/lerobot/scripts/lerobot_train.py \\
  --policy.type=smolvla \\
  --policy.use_reflow=true \\
  --policy.teacher_model_path="$TEACHER" \\
  --policy.load_vlm_weights=false \\
  --policy.train_expert_only=true \\
  --policy.optimizer_lr="$LR" \\
  --policy.scheduler_decay_lr=1e-6 \\
  --dataset.repo_id=me/cubes --dataset.episodes=[0,1] \\
  --rename_map='{"observation.images.a": "observation.images.b"}' \\
  --batch_size 16 \\
  --job_name="a (b) $(echo 'c d')" \\
  --steps=$((10 * 20))
`;

describe("reflow migrate rewrites", () => {
  it("a reflow script, line by line, without what reflow does by itself", () => {
    expect(migrated(REFLOW_SCRIPT)).toBe(
      REFLOW_SCRIPT.replace("$GPU python src/lerobot/scripts/lerobot_train.py", "$GPU reflow train")
        .replace("  --policy.load_vlm_weights=false \\\n", "")
        .replace("  --policy.train_expert_only=true \\\n", ""),
    );
    expect(config(REFLOW_SCRIPT)).toMatchObject({
      policy: { useReflow: true, teacherModelPath: "runs/my teacher", fields: { optimizer_lr: 2e-5 } },
      dataset: { repoId: "me/cubes", episodes: [0, 1] },
      renameMap: { "observation.images.a": "observation.images.b" },
      batchSize: 16,
      steps: 200,
      jobName: "a (b) c d",
    });
    expect(notes(REFLOW_SCRIPT)).toEqual([
      '8 changed: "python src/lerobot/scripts/lerobot_train.py" becomes "reflow train"',
      "12 changed: --policy.load_vlm_weights=false is removed: not needed with reflow: all weights of the student come from " +
        "its teacher, none from a base model",
      "13 changed: --policy.train_expert_only=true is removed: not needed with reflow: the student shares its teacher's " +
        "vision-language model, so only its action expert can be trained",
    ]);
  });

  it.each([
    "python -m lerobot.scripts.train",
    "python3.11 -u -X dev -m lerobot.scripts.lerobot_train",
    "python lerobot/scripts/train.py",
    "/opt/env/bin/python /src/lerobot/src/lerobot/scripts/lerobot_train.py",
    '"$PYTHON" src/lerobot/scripts/train.py',
    "lerobot-train",
    "$(which lerobot-train)",
    '"$(which lerobot-train)"',
    "`which lerobot-train`",
    "./src/lerobot/scripts/lerobot_train.py",
    "accelerate launch $(which lerobot-train)",
    "accelerate launch --multi_gpu --num_processes 2 --mixed_precision=bf16 -m lerobot.scripts.train",
    `accelerate launch \\\n  --num_processes=\${N:-4} \\\n  src/lerobot/scripts/lerobot_train.py`,
    "python -m accelerate.commands.launch --num_processes=2 $(which lerobot-train)",
    "torchrun --nproc_per_node=4 lerobot/scripts/train.py",
  ])("%s", (program) => {
    expect(migrated(`${program} --policy.path=p --dataset.root=d\n`)).toBe(
      "reflow train --policy.path=p --dataset.root=d\n",
    );
  });

  it.each(["python src/lerobot/scripts/lerobot_train_reflow.py", "python -m lerobot.scripts.lerobot_train_reflow"])(
    "%s, whose reflow becomes a setting",
    (program) => {
      const script = `${program} --policy.type=smolvla --teacher_model_path=t --policy.train_expert_only true --dataset.root=d`;
      expect(migrated(script)).toBe(
        "reflow train --policy.use_reflow=true --policy.type=smolvla --policy.teacher_model_path=t --dataset.root=d",
      );
      expect(config(script).policy).toMatchObject({ useReflow: true, teacherModelPath: "t" });
    },
  );

  it.each([
    [
      "nohup env A=1 nice -n 5 lerobot-train --policy.path=p > log 2>&1 &",
      "nohup env A=1 nice -n 5 reflow train --policy.path=p > log 2>&1 &",
    ],
    ["cd x && uv run lerobot-train --policy.path=p|tee log", "cd x && uv run reflow train --policy.path=p|tee log"],
    ["for s in 1 2; do lerobot-train --seed=$s; done", "for s in 1 2; do reflow train --seed=$s; done"],
    ['run() { lerobot-train "$@"; }', 'run() { reflow train "$@"; }'],
    ["if lerobot-train --resume=true; then :; fi", "if reflow train --resume=true; then :; fi"],
    ["(lerobot-train --a=1)", "(reflow train --a=1)"],
  ])("what stands in %j", (script, result) => {
    expect(migrated(script)).toBe(result);
  });

  it.each([
    ["--dataset_repo_id=me/cubes", "--dataset.repo_id=me/cubes"],
    ['"--device=cuda"', '"--policy.device=cuda"'],
    ["--device cuda", "--policy.device cuda"],
    ["--use_amp=true", "--policy.use_amp=true"],
    ["--dataset.local_files_only=true", ""],
    ["--dataset.local_files_only true", ""],
    ["--dataset.streaming=true", ""],
    ["--env.type=aloha --env.task=x", ""],
    ["--policy.type=smolvla", ""],
    ["--device=cuda --policy.device=cpu", "--policy.device=cpu"],
  ])("%s as %j", (old, now) => {
    const script = (settings: string): string =>
      `lerobot-train --policy.path=p ${settings}${settings && " "}--dataset.root=d\n`;
    expect(migrated(script(old))).toBe(script(now).replace("lerobot-train", "reflow train"));
    config(script(old));
  });

  it("several commands, each by its own settings", () => {
    const script =
      "lerobot-train --policy.path=p --policy.train_expert_only=true --dataset.root=d\n" +
      "lerobot-train --policy.use_reflow=true --policy.teacher_model_path=p --policy.train_expert_only=true --dataset.root=d\n";
    expect(migrated(script)).toBe(
      "reflow train --policy.path=p --policy.train_expert_only=true --dataset.root=d\n" +
        "reflow train --policy.use_reflow=true --policy.teacher_model_path=p --dataset.root=d\n",
    );
    expect(notes(script)[1]).toBe(
      "1 kept: --policy.train_expert_only=true stays: only a reflow student can do without it",
    );
    for (const args of started(migrated(script))) parseTrainConfig(parseOverrides(args.slice(2)));
  });

  it("settings at the end of a command, and of the file, without leaving a continued line behind", () => {
    const script = "lerobot-train \\\n  --policy.path=p \\\n  --dataset.root=d \\\n  --dataset.local_files_only=true";
    expect(migrated(script)).toBe("reflow train \\\n  --policy.path=p \\\n  --dataset.root=d");
    expect(migrated(`${script}\necho done\n`)).toBe(
      "reflow train \\\n  --policy.path=p \\\n  --dataset.root=d\necho done\n",
    );
  });

  it("lines that end in \\r\\n, which they keep", () => {
    const script = REFLOW_SCRIPT.replaceAll("\n", "\r\n");
    expect(migrated(script)).toBe(migrated(REFLOW_SCRIPT).replaceAll("\n", "\r\n"));
  });

  it("nothing inside comments, quotes, here-documents and other commands", () => {
    const script = `echo lerobot-train --device=cuda
pip install lerobot-train
x="python lerobot/scripts/train.py"
cat <<-'EOF' > "job.sh" # lerobot-train --device=cuda
	lerobot-train --device=cuda 'unclosed
	EOF
grep lerobot-train <<< "lerobot-train --device=cuda"
`;
    expect(migrated(script)).toBe(script);
  });

  it("nothing of a policy that it cannot train", () => {
    const script = "lerobot-train --policy.type=act --device=cuda\n";
    expect(migrated(script)).toBe(script);
    expect(notes(script)).toEqual(["1 warning: left as it is: it trains a policy of type act, not smolvla"]);
  });

  it("what it has rewritten no further", () => {
    for (const script of [
      REFLOW_SCRIPT,
      "accelerate launch -m lerobot.scripts.train --device=cuda --policy.type=smolvla",
    ]) {
      expect(migrateScript(migrated(script), "train.sh").edits).toEqual([]);
    }
  });
});

describe("reflow migrate tells", () => {
  it("what a launcher did", () => {
    const script =
      "accelerate launch --num_processes=4 --mixed_precision=bf16 $(which lerobot-train) --policy.path=p --dataset.root=d";
    expect(notes(script)[1]).toBe(
      "1 warning: accelerate launch with --num_processes=4 --mixed_precision=bf16 is gone: one process trains here, and " +
        "batch_size counts all samples of a step. Add --precision=bf16 to compute in bfloat16 as before",
    );
  });

  const complaints = (settings: string): string[] => notes(`lerobot-train ${settings}`).slice(1);

  it("which settings do not exist, which stay", () => {
    expect(complaints("--policy.path=p --dataset.root=d --wandb.name=x --batch_sise=4")).toEqual([
      expect.stringContaining("1 warning: reflow train will refuse it: --wandb.name is no setting of reflow train"),
      '1 warning: reflow train will refuse it: --batch_sise is no setting of reflow train. Did you mean "batch_size"?',
    ]);
    expect(migrated("lerobot-train --wandb.name=x")).toContain("--wandb.name=x");
  });

  it("which values are refused, the script's own variables put in", () => {
    expect(complaints("--policy.path=p --dataset.root=d --steps=many")).toEqual([
      expect.stringMatching(/refuse it: --steps: expected a(?: whole)? number, got "many"$/),
    ]);
    expect(notes("N=0\nlerobot-train --policy.path=p --dataset.root=d --batch_size=$N").at(-1)).toMatch(
      /^2 warning: .*--batch_size: expected .*, got 0/,
    );
    expect(complaints("--policy.path=p")).toEqual([expect.stringMatching(/--dataset: expected dataset\.repo_id/)]);
  });

  it("nothing against what is known only when the script runs", () => {
    expect(complaints(`--policy.path=$P --dataset.root=$D --batch_size=$B --steps=\${STEPS}`)).toEqual([]);
    expect(notes("B=x\nB=4\nlerobot-train --policy.path=p --dataset.root=d --batch_size=$B").slice(1)).toEqual([]);
    expect(complaints("--resume=true --config_path=$C")).toEqual([]);
    expect(complaints(`"\${ARGS[@]}"`)).toEqual([
      `1 warning: \${ARGS[@]} stays as it is: what it holds is not looked at`,
    ]);
  });

  it("that a flag may be needed if reflow is switched by a variable", () => {
    const script =
      "lerobot-train --policy.use_reflow=$R --policy.train_expert_only=true --policy.teacher_model_path=t --dataset.root=d";
    expect(migrated(script)).toContain("--policy.train_expert_only=true");
    expect(notes(script)[1]).toContain("kept: --policy.train_expert_only=true stays: only reflow can do without it");
  });

  it("what else of LeRobot a script uses", () => {
    const script =
      'TRAIN="python lerobot/scripts/train.py"\n$TRAIN --a=1\npython lerobot/scripts/eval.py --n=1\nlerobot-record --x=1\n';
    expect(notes(script)).toEqual([
      expect.stringContaining(
        '1 warning: "TRAIN=python lerobot/scripts/train.py" names a program that trains, in a way',
      ),
      '3 warning: "lerobot/scripts/eval.py" is left as it is: only commands that train are rewritten',
      '4 warning: "lerobot-record" is left as it is: only commands that train are rewritten',
    ]);
  });

  it("that a line which looks continued is not", () => {
    expect(complaints("--policy.path=p --dataset.root=d \\  # why not\n  --batch_size=4")).toEqual([
      "1 warning: a backslash with a blank behind it does not continue a line: the command ends here",
    ]);
  });

  it("that arguments of an older form are no settings", () => {
    expect(complaints("policy=act env=aloha")).toEqual([
      '1 warning: "policy=act" is no setting (--name=value); reflow train will refuse it',
      '1 warning: "env=aloha" is no setting (--name=value); reflow train will refuse it',
      expect.stringContaining("reflow train will refuse it"),
      expect.stringContaining("reflow train will refuse it"),
    ]);
  });
});

describe("reflow migrate", () => {
  const write = (name: string, content: string | Buffer): string => {
    const path = join(root, name);
    writeFileSync(path, content);
    return path;
  };

  it("shows a diff that other tools take, and changes nothing", async () => {
    const path = write("shown.sh", REFLOW_SCRIPT);
    const { code, out, err } = await runCommand(command, [path]);
    expect(code).toBe(0);
    expect(err.trim().split("\n").at(-1)).toBe(`${path}: not changed yet; --write does it`);
    expect(readFileSync(path, "utf8")).toBe(REFLOW_SCRIPT);
    expect(out).toContain(`--- ${path}\n+++ ${path}\n@@ -5,12 +5,10 @@\n`);
    expect(out).toContain("\n-  --policy.train_expert_only=true \\\n");
    const folder = mkdtempSync(join(root, "apply-"));
    writeFileSync(join(folder, "x.sh"), REFLOW_SCRIPT);
    const input = out.replaceAll(path, "x.sh");
    const applied = spawnSync("git", ["apply", "-p0", "-"], { cwd: folder, input, encoding: "utf8" });
    expect([applied.status, applied.stderr]).toEqual([0, ""]);
    expect(readFileSync(join(folder, "x.sh"), "utf8")).toBe(migrated(REFLOW_SCRIPT));
  });

  it("writes with --write, keeps rights and links, and the old script beside the new", async () => {
    const path = write("written.sh", REFLOW_SCRIPT);
    chmodSync(path, 0o750);
    const link = join(root, "link.sh");
    symlinkSync("written.sh", link);
    const { code, err } = await runCommand(command, [link, "--write"]);
    expect([code, err.trim().split("\n").at(-1)]).toEqual([
      0,
      expect.stringMatching(/written; the old script is .*written\.sh\.bak$/),
    ]);
    expect(readFileSync(path, "utf8")).toBe(migrated(REFLOW_SCRIPT));
    expect(statSync(path).mode & 0o777).toBe(0o750);
    expect(lstatSync(link).isSymbolicLink()).toBe(true);
    expect(readFileSync(`${path}.bak`, "utf8")).toBe(REFLOW_SCRIPT);
    expect(statSync(`${path}.bak`).mode & 0o777).toBe(0o750);

    const again = await runCommand(command, [path, "--write"]);
    expect(again).toEqual({ code: 0, out: "", err: `${path}: nothing to change\n` });
  });

  it("writes over no other file", async () => {
    const path = write("guarded.sh", "lerobot-train --policy.path=p --dataset.root=d\n");
    writeFileSync(`${path}.bak`, "precious");
    const { code, err } = await runCommand(command, [path, "--write"]);
    expect([code, err]).toEqual([1, expect.stringContaining(`${path}.bak: expected no such file`)]);
    expect([readFileSync(`${path}.bak`, "utf8"), readFileSync(path, "utf8")]).toEqual([
      "precious",
      "lerobot-train --policy.path=p --dataset.root=d\n",
    ]);
  });

  it("says when there is nothing to do, and keeps no copy then", async () => {
    const path = write("other.sh", "echo hello\n");
    const { code, out, err } = await runCommand(command, [path, "--write"]);
    expect([code, out, err]).toEqual([0, "", `${path}: nothing to change: no command in it trains with LeRobot\n`]);
    expect(existsSync(`${path}.bak`)).toBe(false);
  });

  it.each<[string, () => string, RegExp]>([
    ["a missing file", () => join(root, "missing.sh"), /missing\.sh: file not found$/],
    ["a folder", () => root, /expected a shell script, got a folder or a device$/],
    [
      "a binary file",
      () => write("binary", Buffer.from([0x7f, 0x45, 0, 1])),
      /expected a shell script in UTF-8, got other bytes$/,
    ],
    ["other bytes than UTF-8", () => write("latin.sh", Buffer.from([0x23, 0xe9, 0x0a])), /in UTF-8, got other bytes$/],
    [
      "an unclosed quote",
      () => write("open.sh", 'a\necho "b\n'),
      /open\.sh, line 2: expected the " to be closed, got the end/,
    ],
    [
      "a huge file",
      () => write("huge.sh", "#".repeat(11 * 2 ** 20)),
      /expected a shell script, got a file of \d+ bytes$/,
    ],
  ])("refuses %s", async (_, make, message) => {
    const { code, out, err } = await runCommand(command, [make()]);
    expect([code, out]).toEqual([1, ""]);
    expect(err.trim()).toMatch(message);
  });
});

describe("parseShellScript", () => {
  it.each([
    "a 'b c' \"d e\" f\\ g",
    `a "x\\"y" 'it'"'"'s' $'tab'`,
    'a --x=[0,1] \'{"k": "v"}\' \\\n  b \\\n c',
    "a b#c d # comment 'unclosed",
    'a "$(echo "in ner" \')\')" end',
    "a x > out y 2>&1 z",
    `a \${HOME:+"q q"}x`,
    "a `echo b`",
    "a \"line 1\nline 2\" 'line 3\nline 4'",
    "a '' \"\" x''y",
  ])("finds the words that bash finds in %j", (script) => {
    const shown = `a() { printf '%s\\0' a "$@" >&3; }\n${script}\n`;
    const bash = spawnSync("bash", ["-c", shown], {
      encoding: "utf8",
      stdio: ["ignore", "pipe", "pipe", "pipe"],
      cwd: root,
    });
    const words = bash.output[3]!.split("\0").slice(0, -1);
    const [own] = parseShellScript(script, "x");
    expect(own).toHaveLength(words.length);
    for (const [i, { value, hasExpansion }] of own!.entries()) if (!hasExpansion) expect(value).toBe(words[i]);
  });

  it("comes to an end for any text, and what is rewritten needs no more", () => {
    const part = fc.constantFrom(
      ..."lerobot-train|--device=cuda|--x|--policy.path=p|--policy.use_reflow=true|--policy.train_expert_only=true|accelerate launch|python lerobot/scripts/train.py|a|#|$(|${|{".split(
        "|",
      ),
      ..." |\n|\\\n|\r\n|\r|'|\"|)|`|}|=|<<E|E\n|\\|>|&|;|(|\ufeff|$'|\u00a0".split("|"),
    );
    fc.assert(
      fc.property(fc.array(part, { maxLength: 25 }), fc.constantFrom("", " "), (parts, joint) => {
        const script = parts.join(joint);
        try {
          const { edits } = migrateScript(script, "x");
          expect(migrateScript(applyEdits(script, edits), "x").edits).toEqual([]);
        } catch (error) {
          if (!(error instanceof ConfigError)) throw error;
        }
      }),
      { numRuns: 3000, seed: 1 },
    );
  });

  it("finds the commands between operators, and words where they stand", () => {
    const script = "a 1;b 2&&c||d|e&f\n(g); A=(x y) h <<E 3\nnot\nE\ni";
    const commands = parseShellScript(script, "x");
    expect(commands.map((command) => command.map(({ value }) => value))).toEqual([
      ["a", "1"],
      ["b", "2"],
      ["c"],
      ["d"],
      ["e"],
      ["f"],
      ["g"],
      ["A=(x y)", "h", "3"],
      ["i"],
    ]);
    for (const word of commands.flat()) expect(script.slice(word.start, word.end)).toBe(word.value);
  });
});

describe("unifiedDiff", () => {
  const diffOf = (text: string, ...edits: [start: number, end: number, text: string][]): string =>
    unifiedDiff(
      text,
      edits.map(([start, end, now]) => ({ start, end, text: now })),
      "x",
    );

  it("is what git makes of the same texts", () => {
    const text = Array.from({ length: 40 }, (_, i) => `line ${i}`).join("\n");
    const at = (line: string): number => text.indexOf(line);
    const edits = [
      [at("line 3\n"), at("line 4\n"), ""],
      [at("line 10"), at("line 10") + 4, "LINE"],
      [at("line 16"), at("line 16"), "new\nlines\n"],
      [at("line 39"), text.length, "end"],
    ].map(([start, end, now]) => ({ start, end, text: now }) as { start: number; end: number; text: string });
    const folder = mkdtempSync(join(root, "diff-"));
    writeFileSync(join(folder, "old"), text);
    writeFileSync(join(folder, "new"), applyEdits(text, edits));
    const args = ["diff", "--no-index", "--no-color", "old", "new"];
    const hunks = spawnSync("git", args, { cwd: folder, encoding: "utf8" }).stdout.replace(/^[\s\S]*?(?=@@)/, "");
    expect(unifiedDiff(text, edits, "x")).toBe(`--- x\n+++ x\n${hunks.replaceAll(/^(@@.*@@).*$/gm, "$1")}`);
  });

  it("is empty when nothing changes", () => {
    expect(diffOf("a\nb\n")).toBe("");
    expect(diffOf("a\nb\n", [0, 1, "a"])).toBe("");
  });
});
