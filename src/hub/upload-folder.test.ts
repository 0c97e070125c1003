import { createHash } from "node:crypto";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HubError } from "../support/errors.js";
import { type MockHub, startMockHub } from "./upload/testing/mock-hub.js";
import { type UploadRequest, uploadFolder } from "./upload-folder.js";

let hub: MockHub;
let folder: string;

beforeEach(async () => {
  hub = await startMockHub();
  folder = mkdtempSync(join(tmpdir(), "upload-"));
});
afterEach(async () => {
  await hub.close();
  rmSync(folder, { recursive: true, force: true });
});

/** Bytes that differ at every place, so that parts in a wrong order are noticed. */
const bytes = (size: number): Buffer =>
  Buffer.from(Uint32Array.from({ length: size / 4 }, (_, i) => i * 2654435761).buffer);

const WEIGHTS = bytes(100_000);
const sha256 = (content: Buffer): string => createHash("sha256").update(content).digest("hex");

/** A folder with what a policy has: one large file, small ones, some that are not wanted. */
function writePolicy(): void {
  writeFileSync(join(folder, "model.safetensors"), WEIGHTS);
  writeFileSync(join(folder, "config.json"), '{"type": "smolvla"}');
  writeFileSync(join(folder, "empty.json"), "");
  mkdirSync(join(folder, "sub"));
  writeFileSync(join(folder, "sub/a.json"), "[1]");
  mkdirSync(join(folder, ".git"));
  writeFileSync(join(folder, ".git/config"), "secret");
}

const upload = (given: Partial<UploadRequest> = {}) =>
  uploadFolder({
    repoId: "me/policy",
    folder,
    message: "A policy",
    settings: { endpoint: hub.url, token: hub.token, isOffline: false },
    retryWaitsMs: [1, 1, 1],
    ...given,
  });

const contentOf = (path: string): Buffer | undefined => hub.repositories.get("me/policy")?.files.get(path)?.content;

async function refusalOf(given: Partial<UploadRequest> = {}): Promise<HubError> {
  const error = await upload(given).catch((reason: unknown) => reason);
  expect(error).toBeInstanceOf(HubError);
  return error as HubError;
}

describe("uploadFolder", () => {
  it("creates the repository, stores large files, and commits all with their contents", async () => {
    writePolicy();
    const stored: string[] = [];
    const { url, commit } = await upload({ onStored: (path) => stored.push(path) });
    const repository = hub.repositories.get("me/policy")!;
    expect([url, commit]).toEqual([`${hub.url}/me/policy`, repository.commits.at(-1)]);
    expect([...repository.files.keys()].sort()).toEqual([
      "config.json",
      "empty.json",
      "model.safetensors",
      "sub/a.json",
    ]);
    expect(contentOf("model.safetensors")!.equals(WEIGHTS)).toBe(true);
    expect(contentOf("config.json")!.toString()).toBe('{"type": "smolvla"}');
    expect(contentOf("empty.json")).toHaveLength(0);
    expect(stored).toEqual(["model.safetensors"]);
    expect(hub.lines()).toEqual([
      "POST /api/repos/create",
      "POST /api/models/me/policy/preupload/main",
      "POST /me/policy.git/info/lfs/objects/batch",
      `PUT storage:/${sha256(WEIGHTS)}?signature=secret`,
      "POST /verify",
      "POST /api/models/me/policy/commit/main",
    ]);
  });

  it("stores a file in the parts that the storage wants, in order", async () => {
    writePolicy();
    hub.partBytes = 30_000;
    await upload();
    expect(contentOf("model.safetensors")!.equals(WEIGHTS)).toBe(true);
    expect(hub.lines().filter((line) => line.startsWith("PUT"))).toHaveLength(4);
  });

  it("commits a file that is not large in pieces without changing it", async () => {
    hub.largeBytes = Number.POSITIVE_INFINITY;
    for (const size of [4, 196_608, 1_048_576, 1_500_004]) writeFileSync(join(folder, `${size}.bin`), bytes(size));
    await upload();
    for (const size of [4, 196_608, 1_048_576, 1_500_004]) {
      expect([size, contentOf(`${size}.bin`)!.equals(bytes(size))]).toEqual([size, true]);
    }
  });

  it("never holds a whole large file in memory, neither to hash it nor to send it, whole or in parts", async () => {
    const size = 256 * 2 ** 20;
    writeFileSync(join(folder, "model.safetensors"), "");
    truncateSync(join(folder, "model.safetensors"), size);
    hub.discardsContent = true;
    hub.faults.set("POST /verify", { status: 422 });
    hub.faults.set("POST /complete", { status: 422 });
    // What is not collected yet is not held.
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc") as () => void;
    let most = 0;
    const before = process.memoryUsage().arrayBuffers;
    const watch = setInterval(() => {
      collect();
      most = Math.max(most, process.memoryUsage().arrayBuffers - before);
    }, 50);
    expect((await refusalOf()).message).toContain("cannot have model.safetensors checked");
    hub.partBytes = 64 * 2 ** 20;
    expect((await refusalOf()).message).toContain("cannot store model.safetensors: got status 422");
    clearInterval(watch);
    expect(hub.numDiscarded).toBe(2 * size);
    expect(most).toBeLessThan(size / 4);
  });

  it("uploads only files that match, with texts instead of or besides the folder's", async () => {
    writePolicy();
    await upload({ files: ["*.json"], texts: { "README.md": "# card", "config.json": "{}" } });
    expect([...hub.repositories.get("me/policy")!.files.keys()].sort()).toEqual([
      "README.md",
      "config.json",
      "empty.json",
      "sub/a.json",
    ]);
    expect(contentOf("config.json")!.toString()).toBe("{}");
    const checked = hub.requests.find(({ line }) => line === "POST /api/validate-yaml")!;
    expect(JSON.parse(checked.body.toString())).toEqual({ repoType: "model", content: "# card" });
  });

  it("sends nothing that is there already, and makes no empty commit", async () => {
    writePolicy();
    const first = await upload();
    hub.requests.length = 0;
    expect(await upload()).toEqual(first);
    expect(hub.lines().filter((line) => /^PUT|commit/.test(line))).toEqual([]);
    writeFileSync(join(folder, "config.json"), "{}");
    const { commit } = await upload();
    expect(commit).not.toBe(first.commit);
    const sent = hub.requests.at(-1)!.body.toString().trim().split("\n");
    expect(sent.map((line) => JSON.parse(line).value.path)).toEqual([undefined, "config.json"]);
  });

  it("leaves out what the repository's .gitignore excludes", async () => {
    writePolicy();
    writeFileSync(join(folder, "run.ignored"), "x");
    await upload();
    expect(contentOf("run.ignored")).toBeUndefined();
  });

  it("follows links to files", async () => {
    writeFileSync(join(folder, "a.json"), "1");
    symlinkSync("a.json", join(folder, "b.json"));
    await upload();
    expect(contentOf("b.json")!.toString()).toBe("1");
  });

  it.each([
    [true, { visibility: "private" }],
    [false, { visibility: "public" }],
    [undefined, {}],
  ])("with private=%s asks for %o", async (isPrivate, visibility) => {
    writePolicy();
    await upload({ private: isPrivate });
    const { body } = hub.requests[0]!;
    expect(JSON.parse(body.toString())).toEqual({ name: "policy", organization: "me", ...visibility });
  });

  it("refuses to put what should be private into a public repository", async () => {
    writePolicy();
    await upload({ private: false });
    expect((await refusalOf({ private: true })).message).toMatch(
      /expected a private repository.* got one that everybody/,
    );
    await upload({ private: false });
  });

  it("writes to a repository that its token could not create", async () => {
    writePolicy();
    await upload();
    hub.faults.set("POST /api/repos/create", { status: 403, body: '{"error": "no right to create"}' });
    await upload();
    const error = await refusalOf({ repoId: "me/other" });
    expect([error.status, error.message]).toEqual([403, expect.stringContaining("(no right to create)")]);
  });

  it("follows a repository to its new name", async () => {
    writePolicy();
    await upload();
    hub.faults.set("POST /api/models/old/name/commit", {
      status: 307,
      headers: { Location: "/api/models/me/policy/commit/main" },
    });
    hub.repositories.set("old/name", { ...hub.repositories.get("me/policy")!, files: new Map() });
    writeFileSync(join(folder, "config.json"), '"moved"');
    await upload({ repoId: "old/name" });
    expect(contentOf("config.json")!.toString()).toBe('"moved"');
  });

  it("keeps the token from the storage", async () => {
    writePolicy();
    await upload();
    const put = hub.requests.find(({ line }) => line.startsWith("PUT storage"))!;
    expect(put.headers.authorization).toBeUndefined();
    expect(hub.requests[0]!.headers.authorization).toBe("Bearer hf_test");
  });
});

describe("uploadFolder tries again", () => {
  it.each([
    ["POST /api/repos/create", 500],
    ["POST /api/models/me/policy/preupload", 429],
    ["POST /me/policy.git", 502],
    ["PUT storage:", 503],
    ["POST /verify", 504],
    ["POST /api/models/me/policy/commit", 503],
  ])("%s after status %i", async (beginning, status) => {
    writePolicy();
    hub.partBytes = 30_000;
    hub.faults.set(beginning, { status, times: 2 });
    await upload();
    expect(contentOf("model.safetensors")!.equals(WEIGHTS)).toBe(true);
  });

  it("no sooner than the server asks for", async () => {
    writePolicy();
    hub.faults.set("POST /api/repos/create", { status: 429, headers: { "Retry-After": "1" }, times: 1 });
    const start = performance.now();
    await upload();
    expect(performance.now() - start).toBeGreaterThan(950);
  });

  it("but not for ever", async () => {
    writePolicy();
    hub.faults.set("PUT storage:", { status: 503, body: "<Error><Message>SlowDown</Message></Error>" });
    const error = await refusalOf();
    expect(error.message).toBe(
      `upload to model "me/policy": cannot store model.safetensors: got status 503 from ${hub.storageUrl}/` +
        `${sha256(WEIGHTS)} (SlowDown). The server has a problem: try again later; what is stored already is not sent again`,
    );
    expect(hub.lines().filter((line) => line.startsWith("PUT"))).toHaveLength(4);
  });
});

describe("uploadFolder explains", () => {
  const PREUPLOAD = "POST /api/models/me/policy/preupload";
  it.each<[string, string, { status: number; body?: string; headers?: Record<string, string> }, RegExp]>([
    [
      "a bad token",
      "POST /api/repos",
      { status: 401 },
      /cannot create it: got status 401.*Set HF_TOKEN to a valid token/,
    ],
    [
      "a forbidden name",
      PREUPLOAD,
      { status: 403 },
      /cannot plan the upload: got status 403.*The token may not write there/,
    ],
    ["a lost repository", PREUPLOAD, { status: 404 }, /got status 404.*Check the name/],
    [
      "a full account",
      "POST /me/policy.git",
      { status: 403, headers: { "X-Error-Message": "Private repository storage limit reached" } },
      /\(Private repository storage limit reached\)\. The account's storage does not allow it/,
    ],
    ["a race", "POST /api/models/me/policy/commit", { status: 412 }, /cannot commit: got status 412.*Somebody else/],
    [
      "a page instead of an answer",
      PREUPLOAD,
      { status: 200, body: "<html>" },
      /expected the answer of a Hub, got another/,
    ],
    [
      "an answer of another form",
      PREUPLOAD,
      { status: 200, body: '{"files": 3}' },
      /got another at files from .*Check HF_ENDPOINT/,
    ],
    [
      "a plan without the file",
      PREUPLOAD,
      { status: 200, body: '{"files": []}' },
      /expected a plan for config\.json, got none/,
    ],
    [
      "an object that the storage refuses",
      "POST /me/policy.git",
      {
        status: 200,
        body: JSON.stringify({ objects: [{ oid: sha256(WEIGHTS), error: { code: 507, message: "full" } }] }),
      },
      /cannot store model\.safetensors: the Hub refused it \(full\)/,
    ],
    [
      "parts that do not make up the file",
      "POST /me/policy.git",
      {
        status: 200,
        body: JSON.stringify({
          objects: [{ oid: sha256(WEIGHTS), actions: { upload: { href: "x", header: { chunk_size: "7", 1: "y" } } } }],
        }),
      },
      /expected addresses for 100000 bytes in parts of 7, got 1/,
    ],
  ])("%s", async (_, beginning, fault, message) => {
    writePolicy();
    hub.faults.set(beginning, fault);
    expect((await refusalOf()).message).toMatch(message);
  });

  it("faults in the card before anything large is sent", async () => {
    writePolicy();
    const body = JSON.stringify({ errors: [{ message: '"license" must be one of' }] });
    hub.faults.set("POST /api/validate-yaml", { status: 400, body });
    const { message } = await refusalOf({ texts: { "README.md": "---\nlicense: x\n---\n" } });
    expect(message).toMatch(/got some with faults: "license" must be one of$/);
    expect(hub.lines().some((line) => line.startsWith("PUT"))).toBe(false);
  });

  it("a refusal that comes before everything was sent", async () => {
    writeFileSync(join(folder, "model.safetensors"), "");
    truncateSync(join(folder, "model.safetensors"), 64 * 2 ** 20);
    hub.refusesUnread = true;
    expect((await refusalOf()).message).toMatch(/cannot store model\.safetensors: got status 403 from/);
  });

  it("a file that changes meanwhile", async () => {
    writePolicy();
    hub.faults.set("PUT storage:", { status: 503, times: 1 });
    const uploading = upload({ retryWaitsMs: [300] });
    await new Promise((done) => setTimeout(done, 150));
    writeFileSync(join(folder, "model.safetensors"), bytes(100_000).reverse());
    await expect(uploading).rejects.toThrow(/cannot store model\.safetensors: it was changed while it was sent/);
  });

  it("a server that does not answer", async () => {
    writePolicy();
    const settings = { endpoint: "http://127.0.0.1:9", token: "hf_test", isOffline: false };
    expect((await refusalOf({ settings })).message).toMatch(
      /cannot create it \(.+\)\. Check the network, or HF_ENDPOINT/,
    );
  });

  it.each<[string, Partial<UploadRequest>, RegExp]>([
    [
      "no token",
      { settings: { endpoint: "http://x", token: undefined, isOffline: false } },
      /expected a token that may write, got none/,
    ],
    [
      "a damaged token",
      { settings: { endpoint: "http://x", token: "hf a", isOffline: false } },
      /without spaces, got other/,
    ],
    [
      "a bad endpoint",
      { settings: { endpoint: "hub", token: "hf_a", isOffline: false } },
      /HF_ENDPOINT: expected the address .* got "hub"/,
    ],
    [
      "offline mode",
      { settings: { endpoint: "http://x", token: "hf_a", isOffline: true } },
      /HF_HUB_OFFLINE is set\. Unset it/,
    ],
    ["a name without owner", { repoId: "policy" }, /expected a Hub id such as owner\/name/],
    ["no message", { message: " " }, /expected a message for the commit, got none/],
    ["no matching files", { files: ["*.bin", "x"] }, /expected files that match \*\.bin, x in .*, got none/],
    [
      "a missing folder",
      { folder: "/nowhere" },
      /upload of \/nowhere: expected a folder of readable files, got nothing there/,
    ],
  ])("%s, without any request", async (_, given, message) => {
    writePolicy();
    expect((await refusalOf(given)).message).toMatch(message);
    expect(hub.requests).toEqual([]);
  });

  it("a file instead of a folder", async () => {
    writePolicy();
    expect((await refusalOf({ folder: join(folder, "config.json") })).message).toMatch(/got a file/);
  });
});
