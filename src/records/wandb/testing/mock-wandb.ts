/**
 * A server with as much of Weights & Biases' interface as this program and the real `wandb sync` use. It keeps what it is
 * sent, and can be told to misbehave.
 */
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { gunzipSync } from "node:zlib";

/** A run as the server has it. */
export interface KeptRun {
  readonly path: string;
  /** variables of the calls that made or changed it */
  readonly upserts: Record<string, unknown>[];
  /** lines of its history, unparsed: they hold NaN */
  readonly rows: string[];
  summary: string | undefined;
  exitCode: number | undefined;
  readonly files: Map<string, string>;
}

/** What a server does with a request: all is well, a status with a text, or never an answer. */
export type Behaviour = "ok" | "hang" | { readonly status: number; readonly text: string };

type Variables = Record<string, unknown> & {
  readonly name?: string;
  readonly project?: string;
  readonly entity?: string;
};

const DEFAULT_ENTITY = "somebody";

async function bodyOf(request: IncomingMessage): Promise<string> {
  const parts: Buffer[] = [];
  for await (const part of request) parts.push(part as Buffer);
  const body = Buffer.concat(parts);
  return (request.headers["content-encoding"] === "gzip" ? gunzipSync(body) : body).toString();
}

/** Steps of rows in their order. */
export const stepsOf = (rows: readonly string[]): number[] =>
  rows.map((row) => Number(/"_step": ?(\d+)/.exec(row)?.[1]));

export class MockWandb implements AsyncDisposable {
  readonly runs = new Map<string, KeptRun>();
  readonly authorizations = new Set<string | undefined>();
  numRequests = 0;
  behaviour: Behaviour = "ok";
  url = "";
  readonly #server = createServer((request, response) => void this.#answer(request, response));

  static async start(): Promise<MockWandb> {
    const mock = new MockWandb();
    await new Promise<void>((resolve) => void mock.#server.listen(0, "127.0.0.1", resolve));
    mock.url = `http://127.0.0.1:${(mock.#server.address() as AddressInfo).port}`;
    return mock;
  }

  run(name: string): KeptRun | undefined {
    return this.runs.get(name);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve)); // also if it was closed before
    this.#server.closeAllConnections();
    await closed;
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const text = await bodyOf(request);
    const { behaviour } = this;
    this.numRequests += 1;
    const url = request.url ?? "";
    if (!url.startsWith("/upload/")) this.authorizations.add(request.headers.authorization);
    if (behaviour === "hang") return;
    if (behaviour !== "ok") {
      response.writeHead(behaviour.status).end(behaviour.text);
      return;
    }
    const answer = this.#reply(url, text);
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(answer));
  }

  #reply(url: string, text: string): unknown {
    const [, entity, project, name] = /^\/files\/([^/]+)\/([^/]+)\/([^/]+)\/file_stream$/.exec(url) ?? [];
    if (name !== undefined) return this.#stream(`${entity}/${project}/${name}`, name, text);
    const [, owner, file] = /^\/upload\/([^/]+)\/(.+)$/.exec(url) ?? [];
    if (owner !== undefined && file !== undefined) {
      this.run(owner)?.files.set(decodeURIComponent(file), text);
      return {};
    }
    if (url !== "/graphql") return {};
    const { query, variables } = JSON.parse(text) as { query: string; variables: Variables };
    return { data: this.#data(query, variables) };
  }

  #stream(path: string, name: string, text: string): unknown {
    const run = this.run(name);
    if (run?.path !== path) throw new Error(`mock server: rows for ${path}, which was never made`);
    // The real client's rows hold NaN within strings only.
    const {
      files = {},
      complete,
      exitcode,
    } = JSON.parse(text) as {
      files?: Record<string, { offset: number; content: string[] }>;
      complete?: boolean;
      exitcode?: number;
    };
    const { "wandb-history.jsonl": history, "wandb-summary.json": summary } = files;
    for (const [i, row] of (history?.content ?? []).entries()) run.rows[(history?.offset ?? 0) + i] = row;
    run.summary = summary?.content[0] ?? run.summary;
    if (complete) run.exitCode = exitcode;
    return { limits: {} };
  }

  #data(query: string, variables: Variables): unknown {
    if (/mutation UpsertBucket/.test(query)) return { upsertBucket: this.#upsert(variables) };
    if (/query RunResumeStatus/.test(query)) return { model: this.#resumeStatus(variables) };
    if (/mutation CreateRunFiles/.test(query)) {
      const { run, files } = variables as { run: string; files: string[] };
      return {
        createRunFiles: {
          runID: run,
          uploadHeaders: [],
          files: files.map((name) => ({ name, uploadUrl: this.#uploadUrl(run, name) })),
        },
      };
    }
    if (/query RunUploadUrls/.test(query)) {
      const { run, files } = variables as { run: string; files: string[] };
      const edges = files.map((name) => ({ node: { name, url: this.#uploadUrl(run, name), updatedAt: null } }));
      return { model: { bucket: { id: run, files: { uploadHeaders: [], edges } } } };
    }
    if (/viewer/.test(query)) {
      return {
        viewer: {
          id: "1",
          entity: DEFAULT_ENTITY,
          username: DEFAULT_ENTITY,
          email: "a@b",
          flags: "{}",
          teams: { edges: [] },
        },
      };
    }
    return {};
  }

  readonly #uploadUrl = (run: string, file: string): string => `${this.url}/upload/${run}/${encodeURIComponent(file)}`;

  #upsert(variables: Variables): unknown {
    const { name = "", project = "uncategorized", entity } = variables;
    const owner = entity ?? DEFAULT_ENTITY;
    const known = this.runs.get(name);
    const run: KeptRun = known ?? {
      ...{ path: `${owner}/${project}/${name}`, upserts: [], rows: [], summary: undefined, exitCode: undefined },
      files: new Map(),
    };
    run.upserts.push(variables);
    this.runs.set(name, run);
    return {
      bucket: {
        ...{ id: `id-${name}`, name, displayName: variables.displayName ?? name, description: "", config: "{}" },
        ...{ sweepName: null, historyLineCount: run.rows.length },
        project: { id: "2", name: project, entity: { id: "3", name: owner } },
      },
      inserted: known === undefined,
    };
  }

  #resumeStatus({ name = "", project = "", entity }: Variables): unknown {
    const run = this.run(name);
    const bucket = run && {
      ...{ id: `id-${name}`, name, displayName: name, config: "{}", tags: [], wandbConfig: "{}" },
      ...{ summaryMetrics: run.summary ?? "{}", eventsTail: "[]", eventsLineCount: 0, logLineCount: 0 },
      historyLineCount: run.rows.length,
      historyTail: JSON.stringify(run.rows.slice(-1)),
    };
    return { id: "2", name: project, entity: { id: "3", name: entity ?? DEFAULT_ENTITY }, bucket: bucket ?? null };
  }
}
