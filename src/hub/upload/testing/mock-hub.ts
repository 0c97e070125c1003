/** A Hub and its storage on the loopback address, for tests: takes uploads, checks them as the real ones do, gives them back. */
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface SeenRequest {
  /** method, whose address it is, and path with its query */
  readonly line: string;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly body: Buffer;
}

interface Repository {
  readonly isPrivate: boolean;
  readonly files: Map<string, { readonly content: Buffer; readonly isLarge: boolean }>;
  readonly commits: string[];
}

interface Fault {
  readonly status: number;
  readonly body?: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** how often; always if left out */
  times?: number;
}

export interface MockHub {
  readonly url: string;
  readonly storageUrl: string;
  readonly token: string;
  readonly repositories: Map<string, Repository>;
  readonly requests: SeenRequest[];
  /** answers instead of the real one, by the beginning of `METHOD path` */
  readonly faults: Map<string, Fault>;
  /** the form in which the storage wants files; one PUT if undefined */
  partBytes: number | undefined;
  /** files from this size on, and all `.safetensors`, are large */
  largeBytes: number;
  /** whether the storage only counts what it is sent */
  discardsContent: boolean;
  numDiscarded: number;
  /** whether the storage refuses without reading what it is sent */
  refusesUnread: boolean;
  lines(): string[];
  close(): Promise<void>;
}

const hashOf = (algorithm: string, ...parts: (string | Buffer)[]): string => {
  const hash = createHash(algorithm);
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
};

/** Refuses a request as the real servers do. */
class Refusal extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

const bodyOf = async (request: IncomingMessage): Promise<Buffer> => {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
};

type Reply = { readonly status?: number; readonly headers?: Record<string, string>; readonly body?: Buffer | object };

function send(response: ServerResponse, { status = 200, headers = {}, body = {} }: Reply): void {
  const isBytes = Buffer.isBuffer(body);
  const type = isBytes ? "application/octet-stream" : "application/json";
  response.writeHead(status, { "Content-Type": type, ...headers }).end(isBytes ? body : JSON.stringify(body));
}

interface PreuploadBody {
  readonly files: readonly { readonly path: string; readonly size: number; readonly sample: string }[];
}

interface BatchBody {
  readonly operation: string;
  readonly transfers: readonly string[];
  readonly hash_algo: string;
  readonly objects: readonly { readonly oid: string; readonly size: number }[];
}

interface CommitLine {
  readonly key: string;
  readonly value: Readonly<Record<string, unknown>>;
}

export async function startMockHub(): Promise<MockHub> {
  /** large content by its hash, complete or in parts */
  const stored = new Map<string, Buffer>();
  const parts = new Map<string, Buffer[]>();
  const announced = new Map<string, number>();
  const servers: Server[] = [];
  const listen = async (answer: (request: IncomingMessage, body: Buffer) => Reply, origin: string): Promise<string> => {
    const server = createServer((request, response) => {
      const line = `${request.method} ${origin}${request.url}`;
      const work = async (): Promise<Reply> => {
        if (hub.refusesUnread && origin !== "") return { status: 403 };
        const body = hub.discardsContent && origin !== "" ? await discarded(request) : await bodyOf(request);
        hub.requests.push({ line, headers: request.headers, body });
        for (const [beginning, fault] of hub.faults) {
          if (!line.startsWith(beginning) || fault.times === 0) continue;
          if (fault.times !== undefined) fault.times--;
          return { status: fault.status, headers: { ...fault.headers }, body: Buffer.from(fault.body ?? "") };
        }
        return answer(request, body);
      };
      work().then(
        (reply) => send(response, reply),
        (error: unknown) => {
          const status = error instanceof Refusal ? error.status : 500;
          send(response, { status, body: { error: (error as Error).message } });
        },
      );
    });
    servers.push(server);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  };

  const discarded = async (request: IncomingMessage): Promise<Buffer> => {
    for await (const chunk of request) hub.numDiscarded += (chunk as Buffer).length;
    return Buffer.alloc(0);
  };

  /** The storage: S3's part in it. It wants to know lengths beforehand, and the permission in the address alone. */
  function storage(request: IncomingMessage, body: Buffer): Reply {
    const url = new URL(request.url!, "http://storage");
    const [, oid, part] = url.pathname.split("/") as [string, string, string | undefined];
    if (request.headers.authorization !== undefined) throw new Refusal(400, "Only one auth mechanism allowed");
    if (url.searchParams.get("signature") !== "secret") throw new Refusal(403, "AccessDenied");
    if (request.headers["content-length"] === undefined) throw new Refusal(411, "MissingContentLength");
    if (hub.discardsContent) return { headers: { ETag: '"discarded"' }, body: Buffer.alloc(0) };
    if (part === undefined) stored.set(oid, body);
    else {
      parts.set(oid, parts.get(oid) ?? []);
      parts.get(oid)![Number(part) - 1] = body;
    }
    return { headers: { ETag: `"${hashOf("md5", body)}"` }, body: Buffer.alloc(0) };
  }

  function repositoryOf(name: string): Repository {
    const repository = hub.repositories.get(name);
    if (repository === undefined) throw new Refusal(404, "Repository not found");
    return repository;
  }

  function create(body: Buffer): Reply {
    const { name, organization, visibility } = JSON.parse(body.toString()) as Record<string, string | undefined>;
    const id = `${organization}/${name}`;
    const url = `${hub.url}/${id}`;
    if (hub.repositories.has(id)) return { status: 409, body: { error: "You already created this model repo", url } };
    hub.repositories.set(id, { isPrivate: visibility === "private", files: new Map(), commits: ["0".repeat(40)] });
    return { body: { url, id } };
  }

  function preupload({ files }: Repository, body: Buffer): Reply {
    const asked = JSON.parse(body.toString()) as PreuploadBody;
    return {
      body: {
        files: asked.files.map(({ path, size, sample }) => {
          if (Buffer.from(sample, "base64").length !== Math.min(512, size)) throw new Refusal(400, "Bad sample");
          const isLarge = path.endsWith(".safetensors") || size >= hub.largeBytes;
          const file = files.get(path);
          const oid = file
            ? file.isLarge
              ? hashOf("sha256", file.content)
              : hashOf("sha1", `blob ${file.content.length}\0`, file.content)
            : null;
          return { path, uploadMode: isLarge ? "lfs" : "regular", shouldIgnore: path.endsWith(".ignored"), oid };
        }),
      },
    };
  }

  function batch(body: Buffer): Reply {
    const { operation, transfers, objects, hash_algo: algorithm } = JSON.parse(body.toString()) as BatchBody;
    if (operation !== "upload" || algorithm !== "sha256" || !transfers.includes("basic"))
      throw new Refusal(422, "Bad batch");
    const { partBytes, storageUrl, url } = hub;
    const answers = objects.map(({ oid, size }) => {
      announced.set(oid, size);
      if (stored.has(oid)) return { oid, size };
      const verify = { href: `${url}/verify`, header: {} };
      if (partBytes === undefined) {
        return {
          oid,
          size,
          actions: { upload: { href: `${storageUrl}/${oid}?signature=secret`, header: {} }, verify },
        };
      }
      const addresses = Array.from({ length: Math.ceil(size / partBytes) }, (_, i) => [
        String(i + 1).padStart(5, "0"),
        `${storageUrl}/${oid}/${i + 1}?signature=secret`,
      ]);
      const header = { chunk_size: String(partBytes), ...Object.fromEntries(addresses) };
      return { oid, size, actions: { upload: { href: `${url}/complete?oid=${oid}`, header }, verify } };
    });
    return { body: { transfer: partBytes === undefined ? "basic" : "multipart", objects: answers } };
  }

  function complete(body: Buffer): Reply {
    const given = JSON.parse(body.toString()) as { oid: string; parts: { partNumber: number; etag: string }[] };
    const pieces = parts.get(given.oid) ?? [];
    const isRight = given.parts.every(
      ({ partNumber, etag }, i) => partNumber === i + 1 && etag === `"${hashOf("md5", pieces[i] ?? "")}"`,
    );
    if (!isRight || given.parts.length !== pieces.length) throw new Refusal(400, "Parts do not match");
    stored.set(given.oid, Buffer.concat(pieces));
    return {};
  }

  /** What the real Hub does here: a name that is not the content's hash is refused. */
  function verify(body: Buffer): Reply {
    const { oid, size } = JSON.parse(body.toString()) as { oid: string; size: number };
    const content = stored.get(oid);
    if (content?.length !== size || announced.get(oid) !== size || hashOf("sha256", content) !== oid) {
      stored.delete(oid);
      throw new Refusal(422, "Content does not have the announced hash");
    }
    return {};
  }

  function commit(name: string, request: IncomingMessage, body: Buffer): Reply {
    const repository = repositoryOf(name);
    if (request.headers["content-type"] !== "application/x-ndjson") throw new Refusal(415, "Expected ndjson");
    const lines = body.toString().trim().split("\n");
    const [header, ...operations] = lines.map((line) => JSON.parse(line) as CommitLine);
    if (header?.key !== "header" || !header.value.summary) throw new Refusal(400, "Expected a header");
    for (const { key, value } of operations) {
      const path = String(value.path);
      if (key === "file") {
        if (value.encoding !== "base64") throw new Refusal(400, "Expected base64");
        repository.files.set(path, { content: Buffer.from(String(value.content), "base64"), isLarge: false });
      } else {
        const content = stored.get(String(value.oid));
        if (key !== "lfsFile" || content === undefined || content.length !== value.size)
          throw new Refusal(400, `LFS object of ${path} is missing`);
        repository.files.set(path, { content, isLarge: true });
      }
    }
    const commitOid = hashOf("sha1", repository.commits.at(-1)!, body);
    repository.commits.push(commitOid);
    return { body: { success: true, commitOid, commitUrl: `${hub.url}/${name}/commit/${commitOid}` } };
  }

  /** Downloads, as Python's client makes them. */
  function resolve(name: string, path: string, request: IncomingMessage): Reply {
    const repository = repositoryOf(name);
    const file = repository.files.get(path);
    if (file === undefined) return { status: 404, headers: { "X-Error-Code": "EntryNotFound" } };
    const { content, isLarge } = file;
    const etag = isLarge ? hashOf("sha256", content) : hashOf("sha1", `blob ${content.length}\0`, content);
    const headers = {
      ETag: `"${etag}"`,
      "X-Repo-Commit": repository.commits.at(-1)!,
      "Content-Length": `${content.length}`,
    };
    return { headers, body: request.method === "HEAD" ? Buffer.alloc(0) : content };
  }

  function info(name: string): Reply {
    const { files, commits, isPrivate } = repositoryOf(name);
    const siblings = [...files.keys()].map((rfilename) => ({ rfilename }));
    return { body: { id: name, sha: commits.at(-1), private: isPrivate, siblings, tags: [], downloads: 0, likes: 0 } };
  }

  function tree(name: string): Reply {
    const entries = [...repositoryOf(name).files].map(([path, { content, isLarge }]) => {
      const oid = hashOf("sha1", `blob ${content.length}\0`, content);
      const lfs = { oid: hashOf("sha256", content), size: content.length, pointerSize: 130 };
      return { type: "file", path, size: content.length, oid, ...(isLarge ? { lfs } : {}) };
    });
    return { body: entries };
  }

  function api(request: IncomingMessage, body: Buffer): Reply {
    const path = decodeURIComponent(new URL(request.url!, "http://hub").pathname);
    const route = `${request.method} ${path}`;
    if (path === "/complete") return complete(body);
    if (request.headers.authorization !== `Bearer ${hub.token}`)
      throw new Refusal(401, "Invalid username or password.");
    if (route === "POST /api/repos/create") return create(body);
    if (route === "POST /verify") return verify(body);
    if (route === "POST /api/validate-yaml") return { body: { errors: [], warnings: [] } };
    const model = /^(\w+) \/api\/models\/([^/]+\/[^/]+)(?:\/(preupload|commit|revision)\/main)?$/.exec(route);
    if (model?.[3] === "preupload") return preupload(repositoryOf(model[2]!), body);
    if (model?.[3] === "commit") return commit(model[2]!, request, body);
    if (model) return info(model[2]!);
    const listed = /^GET \/api\/models\/([^/]+\/[^/]+)\/tree\//.exec(route);
    if (listed) return tree(listed[1]!);
    const git = /^POST \/([^/]+\/[^/]+)\.git\/info\/lfs\/objects\/batch$/.exec(route);
    if (git) {
      repositoryOf(git[1]!);
      return batch(body);
    }
    const download = /^(?:GET|HEAD) \/([^/]+\/[^/]+)\/resolve\/[^/]+\/(.+)$/.exec(route);
    if (download) return resolve(download[1]!, download[2]!, request);
    throw new Refusal(404, `no route for ${route}`);
  }

  const hub = {
    token: "hf_test",
    repositories: new Map(),
    requests: [],
    faults: new Map(),
    partBytes: undefined,
    largeBytes: 10_000,
    discardsContent: false,
    numDiscarded: 0,
    refusesUnread: false,
    lines: () => hub.requests.map(({ line }) => line),
    close: async () => {
      await Promise.all(
        servers.map((server) => {
          server.closeAllConnections();
          return new Promise((done) => server.close(done));
        }),
      );
    },
  } as Omit<MockHub, "url" | "storageUrl"> as MockHub;
  const [url, storageUrl] = [await listen(api, ""), await listen(storage, "storage:")];
  return Object.assign(hub, { url, storageUrl });
}
