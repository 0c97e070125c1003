import { createHash } from "node:crypto";
import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HubError } from "../support/errors.js";
import { downloadFiles } from "./download-files.js";
import { type FolderRequest, resolveFolder } from "./resolve-folder.js";

/* A Hub on the loopback address: one commit per repository, ranges, pages of two entries, tokens, faults on demand. */

interface MockFile {
  readonly content: string;
  /** stored as a large file, with its SHA-256 */
  readonly isLarge?: boolean;
  /** what the list says, where it should lie */
  readonly listed?: Readonly<Record<string, unknown>>;
}

/** What a file's address answers with in place of its content. */
type Answer = (response: ServerResponse) => void;

interface MockHub {
  readonly url: string;
  /** by `models/owner/name` or `datasets/owner/name`, then by path */
  readonly repositories: Map<string, Map<string, MockFile>>;
  /** `METHOD path` of every request so far */
  readonly requests: string[];
  /** answers instead of the real one, by a part of the path */
  readonly failures: Map<string, { status: number; body?: string; times?: number }>;
  /** other answers to what is asked of files, and of the list of them */
  answerFile: Answer | undefined;
  answerList: Answer | undefined;
  /** the token without which everything is refused */
  token: string | undefined;
  close(): Promise<void>;
}

const COMMIT = "0123456789abcdef0123456789abcdef01234567";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");
const gitHash = (text: string): string => createHash("sha1").update(text).digest("hex");

function listEntry(path: string, file: MockFile): object {
  const size = Buffer.byteLength(file.content);
  const lfs = file.isLarge ? { lfs: { oid: sha256(file.content), size, pointerSize: 130 } } : {};
  return { type: "file", path, size, oid: gitHash(file.content), ...lfs, ...file.listed };
}

function answer(hub: MockHub, request: IncomingMessage, response: ServerResponse): void {
  const url = new URL(request.url!, hub.url);
  const path = decodeURIComponent(url.pathname);
  hub.requests.push(`${request.method} ${path}`);
  const json = (status: number, body: unknown, headers: Record<string, string> = {}): void => {
    response.writeHead(status, { "Content-Type": "application/json", ...headers }).end(JSON.stringify(body));
  };
  for (const [part, failure] of hub.failures) {
    if (!path.includes(part) || failure.times === 0) continue;
    if (failure.times !== undefined) failure.times--;
    response.writeHead(failure.status, { "Content-Type": "text/html" }).end(failure.body ?? "");
    return;
  }
  if (hub.token !== undefined && request.headers.authorization !== `Bearer ${hub.token}`) {
    json(401, { error: "Invalid username or password." });
    return;
  }
  const api = /^\/api\/((?:models|datasets)\/[^/]+\/[^/]+)\/(revision|tree)\/(.+)$/.exec(path);
  const resolved = /^\/(datasets\/)?([^/]+\/[^/]+)\/resolve\/([^/]+)\/(.+)$/.exec(path);
  const key = api?.[1] ?? `${resolved?.[1] ?? "models/"}${resolved?.[2]}`;
  const repository = hub.repositories.get(key);
  const revision = api?.[3] ?? resolved?.[3];
  if (repository === undefined) json(404, { error: "Repository not found" });
  else if (![COMMIT, "main", "refs/pr/1"].includes(revision!)) json(404, { error: `Invalid rev id: ${revision}` });
  else if (resolved !== null && hub.answerFile) hub.answerFile(response);
  else if (api?.[2] === "tree" && hub.answerList) hub.answerList(response);
  else if (resolved !== null) sendFile(repository.get(resolved[4]!), request, response);
  else if (api?.[2] === "revision") json(200, { id: key, sha: COMMIT });
  else {
    const entries = [...repository].map(([name, file]) => listEntry(name, file));
    const start = Number(url.searchParams.get("cursor") ?? 0);
    url.searchParams.set("cursor", String(start + 2));
    json(200, entries.slice(start, start + 2), start + 2 < entries.length ? { Link: `<${url}>; rel="next"` } : {});
  }
}

function sendFile(file: MockFile | undefined, request: IncomingMessage, response: ServerResponse): void {
  if (file === undefined) {
    response.writeHead(404, { "X-Error-Code": "EntryNotFound" }).end();
    return;
  }
  const content = Buffer.from(file.content);
  const headers = { ETag: `"${gitHash(file.content)}"` };
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  if (range === null) {
    response.writeHead(200, headers).end(content);
    return;
  }
  const [from, to] = [Number(range[1]), Number(range[2])];
  response
    .writeHead(206, { ...headers, "Content-Range": `bytes ${from}-${to}/${content.length}` })
    .end(content.subarray(from, to + 1));
}

/** Starts a Hub on a free port of 127.0.0.1. */
async function startMockHub(): Promise<MockHub> {
  const server = createServer((request, response) => answer(hub, request, response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const hub: MockHub = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    repositories: new Map(),
    requests: [],
    failures: new Map(),
    answerFile: undefined,
    answerList: undefined,
    token: undefined,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
  return hub;
}

const FILES: Record<string, MockFile> = {
  "config.json": { content: '{"type": "smolvla"}' },
  "model.safetensors": { content: "weights".repeat(1000), isLarge: true },
  "videos/top/file 0.mp4": { content: "frames" },
  "README.md": { content: "read me" },
  "copy.md": { content: "read me" },
  ".gitkeep": { content: "" },
};

let hub: MockHub;
let home: string;
let snapshot: string;
beforeEach(async () => {
  hub = await startMockHub();
  for (const kind of ["models", "datasets"]) hub.repositories.set(`${kind}/me/thing`, new Map(Object.entries(FILES)));
  home = realpathSync(mkdtempSync(join(tmpdir(), "hub-")));
  snapshot = join(home, "hub", "models--me--thing", "snapshots", COMMIT);
  const names = ["HF_TOKEN", "HF_HUB_CACHE", "HUGGINGFACE_HUB_CACHE", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE"];
  for (const name of [...names, "HF_TOKEN_PATH", "HUGGING_FACE_HUB_TOKEN"]) vi.stubEnv(name, "");
  vi.stubEnv("HF_HOME", home);
  vi.stubEnv("HF_ENDPOINT", hub.url);
});
afterEach(async () => {
  vi.unstubAllEnvs();
  vi.restoreAllMocks();
  await hub.close();
  rmSync(home, { recursive: true });
});

const resolveModel = (request: Partial<FolderRequest> = {}): Promise<string> =>
  resolveFolder({ nameOrPath: "me/thing", kind: "model", ...request });
const failure = async (promise: Promise<unknown>): Promise<HubError> => {
  const error = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(HubError);
  return error as HubError;
};
const PLACES = `Not a folder either: looked for ${process.cwd()}/me/thing`;

describe("a folder on disk", () => {
  it("is found from the working directory, by its full path, and beside others, in this order", async () => {
    const policy = join(home, "policy");
    for (const folder of ["base-vlm", "src", "me/thing"]) mkdirSync(join(policy, folder), { recursive: true });
    expect(await resolveModel({ nameOrPath: "src/hub" })).toBe(join(process.cwd(), "src/hub"));
    expect(await resolveModel({ nameOrPath: policy })).toBe(policy);
    expect(await resolveModel({ nameOrPath: "base-vlm", besides: ["/none", policy] })).toBe(join(policy, "base-vlm"));
    expect(await resolveModel({ nameOrPath: "src", besides: [policy] })).toBe(join(process.cwd(), "src"));
    expect(await resolveModel({ besides: [policy] })).toBe(join(policy, "me/thing"));
    expect(hub.requests).toEqual([]);
  });

  it("is asked for with every place where it was looked for", async () => {
    const error = await failure(resolveModel({ nameOrPath: "base-vlm", besides: [home] }));
    expect(error.message).toBe(
      `model "base-vlm": expected a folder or a Hub id such as owner/name, got neither. Looked for ${process.cwd()}/base-vlm, ${home}/base-vlm`,
    );
    const file = await failure(resolveModel({ nameOrPath: "./package.json" }));
    expect(file.message).toContain("expected a folder or a Hub id");
    expect((await failure(resolveModel({ nameOrPath: "" }))).message).toBe(
      "expected the name of a model, got an empty text",
    );
  });
});

describe("a repository on the Hub", () => {
  it("is downloaded whole into the shared cache, without a word on the console", async () => {
    const silent = (["log", "debug", "info", "warn"] as const).map((name) => vi.spyOn(console, name));
    expect(await resolveModel()).toBe(snapshot);
    for (const [path, { content }] of Object.entries(FILES)) {
      expect(readFileSync(join(snapshot, path), "utf8")).toBe(content);
      expect(lstatSync(join(snapshot, path)).isSymbolicLink()).toBe(true);
    }
    expect(readlinkSync(join(snapshot, "videos/top/file 0.mp4"))).toMatch(
      /^\.\.\/\.\.\/\.\.\/\.\.\/blobs\/[0-9a-f]{40}$/,
    );
    expect(readlinkSync(join(snapshot, "model.safetensors"))).toMatch(/^\.\.\/\.\.\/blobs\/[0-9a-f]{64}$/);
    expect(readFileSync(join(snapshot, "../../refs/main"), "utf8")).toBe(COMMIT);
    for (const spy of silent) expect(spy).not.toHaveBeenCalled();
  });

  it("is downloaded in part, and the rest when it is needed", async () => {
    const progress: string[] = [];
    const onFile = ({ path, numDone, numFiles }: { path: string; numDone: number; numFiles: number }): void =>
      void progress.push(`${numDone}/${numFiles} ${path}`);
    await resolveModel({ files: ["*.json", "videos/*"], onFile });
    expect(progress.sort()).toEqual([
      expect.stringMatching(/^1\/2 (config.json|videos)/),
      expect.stringMatching(/^2\/2 (config.json|videos)/),
    ]);
    expect(lstatSync(snapshot).isDirectory()).toBe(true);
    hub.requests.length = 0;
    await resolveModel();
    expect(hub.requests.filter((request) => request.includes("/resolve/") && request.includes("config.json"))).toEqual(
      [],
    );
    expect(readFileSync(join(snapshot, "README.md"), "utf8")).toBe("read me");
  });

  it("is a dataset where one is asked for", async () => {
    const folder = await resolveFolder({ nameOrPath: "me/thing", kind: "dataset", files: ["config.json"] });
    expect(folder).toBe(join(home, "hub", "datasets--me--thing", "snapshots", COMMIT));
    expect(readFileSync(join(folder, "config.json"), "utf8")).toBe(FILES["config.json"]!.content);
  });

  it("is left alone where LeRobot recorded a dataset of that name on this machine", async () => {
    const recorded = join(home, "lerobot", "me", "thing");
    mkdirSync(recorded, { recursive: true });
    expect(await resolveFolder({ nameOrPath: "me/thing", kind: "dataset" })).toBe(recorded);
    expect(hub.requests).toEqual([]);
  });

  it("is taken at the revision that is asked for", async () => {
    expect(await resolveModel({ revision: COMMIT, files: ["config.json"] })).toBe(snapshot);
    expect(await resolveModel({ revision: "refs/pr/1", files: ["config.json"] })).toBe(snapshot);
    const error = await failure(resolveModel({ revision: "v9" }));
    expect(error).toMatchObject({ status: 404, url: expect.stringContaining(`${hub.url}/api/models/me/thing/`) });
    expect(error.message).toMatch(
      /^model "me\/thing" at revision "v9": expected a download from .*, got status 404 \(Invalid rev id: v9\)\. Check the name and the revision/,
    );
  });

  it("is read with the token", async () => {
    hub.token = "hf_secret";
    const refused = await failure(resolveModel());
    expect(refused.status).toBe(401);
    expect(refused.message).toContain(
      "got status 401 (Invalid username or password.). It does not exist, or it is private or gated: check the name, and set HF_TOKEN to a token that may read it. Not a folder either",
    );
    writeFileSync(join(home, "token"), "hf_secret\n");
    expect(await resolveModel()).toBe(snapshot);
    vi.stubEnv("HF_TOKEN", "secret");
    expect((await failure(resolveModel())).message).toContain(
      "HF_TOKEN (or the saved token): expected a token that starts with hf_, got another one",
    );
  });
});

describe("the cache", () => {
  it("is used without a request when it certainly holds the files", async () => {
    await resolveModel({ files: ["config.json", "model.safetensors"] });
    hub.requests.length = 0;
    expect(await resolveModel({ files: ["config.json"] })).toBe(snapshot);
    expect(hub.requests).toEqual([]);
  });

  it("is completed, not filled again, when patterns leave open what belongs to it", async () => {
    await resolveModel();
    hub.requests.length = 0;
    expect(await resolveModel({ files: ["*"] })).toBe(snapshot);
    expect(hub.requests.some((request) => request.includes("/resolve/"))).toBe(false);
  });

  it("is used when the Hub cannot be reached or fails", async () => {
    await resolveModel();
    hub.failures.set("/api/", { status: 503 });
    expect(await resolveModel()).toBe(snapshot);
    await hub.close();
    expect(await resolveModel()).toBe(snapshot);
  });

  it("is all there is while HF_HUB_OFFLINE is set", async () => {
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    const error = await failure(resolveModel());
    expect(error.message).toBe(
      `model "me/thing": expected it in the cache (${home}/hub/models--me--thing), got nothing, and HF_HUB_OFFLINE is set. Unset it to download, or give a local folder. ${PLACES}`,
    );
    expect((await failure(downloadFiles({ kind: "model", name: "me/thing" }))).message).toBe(
      'model "me/thing": cannot be downloaded while HF_HUB_OFFLINE is set. Unset it, or give a local folder',
    );
    expect(hub.requests).toEqual([]);
    vi.stubEnv("HF_HUB_OFFLINE", "0");
    await resolveModel();
    vi.stubEnv("HF_HUB_OFFLINE", "1");
    hub.requests.length = 0;
    expect(await resolveModel()).toBe(snapshot);
    expect(hub.requests).toEqual([]);
  });
});

describe("a download that fails", () => {
  it("is tried again while the fault may pass", async () => {
    hub.failures.set("config.json", { status: 500, times: 2 });
    expect(await resolveModel()).toBe(snapshot);
  });

  it("says what the server answered", async () => {
    hub.failures.set("model.safetensors", { status: 500 });
    const error = await failure(resolveModel());
    expect(error).toMatchObject({ status: 500, url: `${hub.url}/me/thing/resolve/${COMMIT}/model.safetensors` });
    expect(error.message).toContain("got status 500. The server has a problem: try again later");
    hub.repositories.delete("models/me/thing");
    expect((await failure(resolveModel({ files: ["other.json"] }))).message).toContain(
      "got status 404 (Repository not found). Check the name and the revision; a private one needs a token in HF_TOKEN",
    );
  });

  it("says that the Hub cannot be reached", async () => {
    await hub.close();
    const error = await failure(resolveModel());
    expect(error.message).toMatch(
      /^model "me\/thing": the Hub cannot be reached \(.*ECONNREFUSED.*\)\. Check the network, or HF_ENDPOINT if it is set\. Not a folder either/,
    );
  });

  it("says that the server is no Hub", async () => {
    hub.failures.set("/api/", { status: 200, body: "<html>" });
    expect((await failure(resolveModel())).message).toContain(
      'model "me/thing": expected the answer of a Hub, got another (',
    );
  });

  it("says which files were not there", async () => {
    expect((await failure(resolveModel({ files: ["*.onnx"] }))).message).toContain(
      'model "me/thing": expected files that match *.onnx, got none',
    );
  });

  it.each(["../outside", "/etc/outside", "a/../../outside", "..\\outside", "C:/outside", "a//b"])(
    "refuses a name that leaves the repository: %s",
    async (path) => {
      hub.repositories.set("models/me/thing", new Map([[path, { content: "bad" }]]));
      expect((await failure(resolveModel())).message).toContain(
        `model "me/thing": expected file names inside the repository, got ${JSON.stringify(path)}`,
      );
    },
  );

  it.each([
    [{ oid: "../../../outside" }, 'expected a hash for file, got "../../../outside"'],
    [{ size: 4 }, "expected 4 bytes of file, got 3. The download was damaged: try again"],
    [
      { lfs: { oid: "ab".repeat(32), size: 3 } },
      "expected 3 bytes of file, got other content. The download was damaged",
    ],
  ])("refuses content that is not what the list says: %j", async (listed, message) => {
    hub.repositories.set("models/me/thing", new Map([["file", { content: "bad", listed }]]));
    expect((await failure(resolveModel())).message).toContain(message);
    expect(() => lstatSync(join(snapshot, "file"))).toThrow("ENOENT");
  });

  /** Writes for as long as anybody reads. */
  const endlessly = (response: ServerResponse, bytes: string): void => {
    const go = (): void => {
      while (!response.destroyed && response.write(bytes));
    };
    response.on("drain", go);
    go();
  };

  it("is ended when more comes than the list says", async () => {
    hub.answerFile = (response) => {
      response.writeHead(206, { ETag: '"x"', "Content-Range": "bytes 0-6/7" });
      endlessly(response, "x".repeat(2 ** 20));
    };
    expect((await failure(resolveModel({ files: ["config.json"] }))).message).toMatch(
      /expected \d+ bytes of config\.json, got more\. The download was damaged/,
    );
  });

  it("is ended when a list has no end, or leads in a circle", async () => {
    hub.answerList = (response) => {
      response.writeHead(200, { "Content-Type": "application/json" });
      endlessly(response, `[${" ".repeat(2 ** 20)}`);
    };
    expect((await failure(resolveModel())).message).toContain("expected an answer of at most 67108864 bytes, got more");
    hub.answerList = (response) => {
      const next = `${hub.url}/api/models/me/thing/tree/${COMMIT}`;
      const list = JSON.stringify([listEntry("a", { content: "a" })]);
      response.writeHead(200, { "Content-Type": "application/json", Link: `<${next}>; rel="next"` }).end(list);
    };
    expect((await failure(resolveModel())).message).toContain(
      'model "me/thing": expected every file once, got a twice',
    );
  });

  it("is ended when nothing comes for as long as HF_HUB_DOWNLOAD_TIMEOUT says", async () => {
    vi.stubEnv("HF_HUB_DOWNLOAD_TIMEOUT", "0.2");
    const silence = 'model "me/thing": the Hub cannot be reached (silence for 0.2 seconds)';
    hub.answerFile = (response) => {
      response.writeHead(206, { ETag: '"x"', "Content-Range": "bytes 0-6/7" }).write("x");
    };
    expect((await failure(resolveModel({ files: ["config.json"] }))).message).toContain(silence);
    hub.answerList = () => {};
    expect((await failure(resolveModel())).message).toContain(silence);
  });

  it("says that the cache cannot be written", async () => {
    writeFileSync(join(home, "hub"), "a file where the folder should be");
    expect((await failure(resolveModel())).message).toMatch(
      /model "me\/thing": cannot be stored in the cache \(ENOTDIR.*\)\. Check space and rights there, or set HF_HUB_CACHE/,
    );
  });
});
