/** Uploads and model cards beside those of stock LeRobot and its Hub client, on the same Hub. */
import { spawn } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type MockHub, type SeenRequest, startMockHub } from "../../src/hub/upload/testing/mock-hub.js";
import { modelCard } from "../../src/policy/model-card.js";
import { CONVENTIONS } from "../../src/policy/provenance.js";
import { pushPolicy } from "../../src/policy/push-policy.js";
import { FIXTURE } from "../parity/fixture.js";
import { ensurePythonEnv } from "./python-env.mjs";

const TIMEOUT_MS = 240_000;

let hub: MockHub;
let root: string;
beforeAll(async () => {
  root = mkdtempSync(join(tmpdir(), "hub-"));
  await ensurePythonEnv();
}, TIMEOUT_MS);
afterAll(() => rmSync(root, { recursive: true }));

/** Runs stock LeRobot's side against a Hub of ours. */
async function stock(...args: readonly string[]): Promise<string> {
  const { python, env } = await ensurePythonEnv();
  const own = { HF_ENDPOINT: hub.url, HF_TOKEN: hub.token, HF_HUB_OFFLINE: "0", HF_HOME: join(root, "home") };
  const child = spawn(python, [resolve("test/interop/python/hub.py"), ...args], {
    env: { ...env, ...own, NO_PROXY: "127.0.0.1", no_proxy: "127.0.0.1", HF_HUB_DISABLE_XET: "1" },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise<number | null>((done) => child.on("close", done));
  const [code, out, err] = await Promise.all([ended, text(child.stdout), text(child.stderr)]);
  if (code !== 0) throw new Error(`hub.py ${args.join(" ")}: exit code ${code}\n${err}`);
  return out.trim();
}

/** A policy folder with a card. */
function policyFolder(name: string): string {
  const folder = join(root, name);
  cpSync(`${FIXTURE}/teacher`, folder, { recursive: true });
  const config = JSON.parse(readFileSync(join(folder, "config.json"), "utf8"));
  writeFileSync(join(folder, "config.json"), JSON.stringify({ ...config, repo_id: "me/policy", private: true }));
  writeFileSync(join(folder, "README.md"), modelCard({ config }));
  writeFileSync(join(folder, "run.log"), "not wanted");
  return folder;
}

const settings = () => ({ endpoint: hub.url, token: hub.token, isOffline: false });

/** What a server sees of a request: where it goes, what it says, in whatever order its keys come. */
function meaning({ line, headers, body }: SeenRequest): unknown {
  const type = headers["content-type"];
  const sorted = (value: { objects?: object[]; files?: { path: string }[] }): unknown => ({
    ...value,
    ...(value.objects ? { objects: [...new Set(value.objects.map((object) => JSON.stringify(object)))].sort() } : {}),
    ...(value.files ? { files: value.files.sort((a, b) => (a.path < b.path ? -1 : 1)) } : {}),
  });
  const json = type === "application/json" || type === "application/vnd.git-lfs+json";
  const lines = body.toString().trim().split("\n");
  const content = json
    ? sorted(JSON.parse(body.toString()))
    : type === "application/x-ndjson"
      ? lines.map((text) => JSON.parse(text)).sort((a, b) => (String(a.value.path) < String(b.value.path) ? -1 : 1))
      : body.toString("base64");
  const hasToken = headers.authorization === `Bearer ${hub.token}`;
  return {
    line: line.replaceAll(/127\.0\.0\.1:\d+/g, "hub"),
    content,
    hasToken,
    hasLength: "content-length" in headers,
  };
}

/** Each once and by place: files may be stored in any order, and their client sends equal files, and a card, twice. */
function meanings(requests: readonly SeenRequest[]): unknown[] {
  const isUpload = ({ line }: SeenRequest): boolean => line !== "GET /api/agent-harnesses";
  const texts = requests.filter(isUpload).map((request) => JSON.stringify(meaning(request)));
  return [...new Set(texts)].sort().map((text) => JSON.parse(text));
}

describe("uploads beside those of stock LeRobot's Hub client", () => {
  it.each<[string, number | undefined]>([
    ["whole files", undefined],
    ["files in parts", 30_000],
  ])(
    "make the same requests with the same contents, %s",
    async (name, partBytes) => {
      const folder = policyFolder(name.replaceAll(" ", "-"));
      hub = await startMockHub();
      hub.partBytes = partBytes;
      const commit = await stock("upload", folder, "me/policy");
      const theirs = { requests: meanings(hub.requests), files: new Map(hub.repositories.get("me/policy")!.files) };
      expect(commit).toBe(hub.repositories.get("me/policy")!.commits.at(-1));
      await hub.close();

      hub = await startMockHub();
      hub.partBytes = partBytes;
      await pushPolicy({ folder, settings: settings() });
      const files = hub.repositories.get("me/policy")!.files;
      expect([...files.keys()].sort()).toEqual([...theirs.files.keys()].sort());
      for (const [path, { content }] of files) expect(content.equals(theirs.files.get(path)!.content)).toBe(true);
      expect(meanings(hub.requests)).toEqual(theirs.requests);

      // Their client finds nothing to do where ours has been.
      hub.requests.length = 0;
      await stock("upload", folder, "me/policy");
      expect(hub.lines().filter((line) => /^PUT|\/commit\//.test(line))).toEqual([]);
      await hub.close();
    },
    TIMEOUT_MS,
  );

  it(
    "are downloaded by it as they were",
    async () => {
      const folder = policyFolder("sent");
      const received = join(root, "received");
      mkdirSync(received);
      hub = await startMockHub();
      await pushPolicy({ folder, settings: settings() });
      await stock("download", "me/policy", received);
      const names = readdirSync(folder).filter((name) => name !== "run.log");
      expect(
        readdirSync(received)
          .filter((name) => !name.startsWith("."))
          .sort(),
      ).toEqual(names.sort());
      for (const name of names) {
        expect([name, readFileSync(join(received, name)).equals(readFileSync(join(folder, name)))]).toEqual([
          name,
          true,
        ]);
      }
      await hub.close();
    },
    TIMEOUT_MS,
  );
});

describe("model cards", () => {
  it.each<[string, string, readonly string[]]>([
    ["defaults", "", []],
    ["own license and tags", "mit", ["so100", "lerobot", "x: y"]],
  ])(
    "have the head of stock LeRobot's, %s",
    async (_, license, tags) => {
      hub = await startMockHub();
      const path = join(root, `card-${license}.md`);
      const config = { type: "smolvla", license: license || null, tags: tags.length > 0 ? tags : null };
      writeFileSync(path, modelCard({ config, dataset: { repoId: "me/cubes" } }));
      const read = async (...args: string[]): Promise<{ tags: string[] }> => JSON.parse(await stock(...args));
      const [own, theirs] = [await read("card", path), await read("stock-card", "me/cubes", license, ...tags)];
      expect({ ...own, tags: own.tags.sort() }).toEqual({ ...theirs, tags: theirs.tags.sort() });
      await hub.close();
    },
    TIMEOUT_MS,
  );

  it(
    "of straightened policies are read by the Hub's client, odd texts included",
    async () => {
      hub = await startMockHub();
      const path = join(root, "straightened.md");
      const provenance = {
        format: 1 as const,
        k: 3,
        objective: 'reflow: "odd" --- text',
        step: 5,
        conventions: CONVENTIONS,
        teacher: { path: "---\n: {", weightsSha256: "abc" },
        statisticsSha256: "def",
        resourceFolders: [],
      };
      const config = { type: "smolvla", license: "other", tags: ["- [", "no", "1.0", "#x"] };
      writeFileSync(path, modelCard({ config, provenance, baseModel: "me/teacher" }));
      expect(JSON.parse(await stock("card", path))).toEqual({
        license: "other",
        library_name: "lerobot",
        pipeline_tag: "robotics",
        tags: ["#x", "- [", "1.0", "lerobot", "no", "rectified-flow", "robotics", "smolvla"],
        model_name: "smolvla",
        base_model: "me/teacher",
      });
      await hub.close();
    },
    TIMEOUT_MS,
  );
});
