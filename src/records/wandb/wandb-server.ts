import { messageOf } from "../../support/errors.js";
import { JOB_TYPE, type RunConfig, type RunDescription } from "./run-records.js";
import type { WandbServer } from "./wandb-settings.js";

/**
 * The part of Weights & Biases' HTTP interface that a run needs: a GraphQL call makes or finds it, posts to its
 * `file_stream` append to its history.
 *
 * Reference: what wandb 0.24.2 sends, `sdk/internal/internal_api.py` and `file_stream.py`.
 */

/** A request that failed; `isFinal` if trying again is no use. */
export class RequestError extends Error {
  override readonly name = "RequestError";
  readonly isFinal: boolean;
  constructor(message: string, isFinal: boolean) {
    super(message);
    this.isFinal = isFinal;
  }
}

/** A run as the server knows it. */
export interface ServerRun {
  readonly entity: string;
  readonly project: string;
}

/** What the server already has of a run that continues. */
export interface ServerHistory {
  readonly numRows: number;
  /** -1 without rows */
  readonly lastStep: number;
  /** values as JSON by name */
  readonly summary: ReadonlyMap<string, string>;
}

const UPSERT = `mutation UpsertBucket($name: String, $project: String, $entity: String, $displayName: String, $notes: String, $config: JSONString, $host: String, $jobType: String, $tags: [String!]) {
  upsertBucket(input: {name: $name, modelName: $project, entityName: $entity, displayName: $displayName, notes: $notes, config: $config, host: $host, jobType: $jobType, tags: $tags}) {
    bucket { id name project { name entity { name } } }
  }
}`;

const RESUME_STATUS = `query RunResumeStatus($project: String, $entity: String, $name: String!) {
  model(name: $project, entityName: $entity) {
    bucket(name: $name, missingOk: true) { historyLineCount historyTail summaryMetrics }
  }
}`;

/** Statuses of trouble that passes: a timeout, a conflict, too many requests. Every other 4xx is a refusal. */
const PASSING = new Set([408, 409, 425, 429]);

const isFinalStatus = (status: number): boolean => status >= 400 && status < 500 && !PASSING.has(status);

const MAX_QUOTED = 300;

type Json = Readonly<Record<string, unknown>>;

/** What lies at a path in a server's answer, or undefined. */
const at = (value: unknown, ...path: readonly string[]): unknown =>
  path.reduce<unknown>(
    (inner, name) => (typeof inner === "object" && inner !== null ? (inner as Json)[name] : undefined),
    value,
  );

const textAt = (value: unknown, ...path: readonly string[]): string | undefined => {
  const text = at(value, ...path);
  return typeof text === "string" && text !== "" ? text : undefined;
};

/** Rows hold NaN, which is no JSON, so a step is found by its name. */
const stepIn = (row: string): number => Number(/"_step"\s*:\s*(\d+)/.exec(row)?.[1] ?? -1);

function lastStepIn(tail: string | undefined): number {
  try {
    const rows: unknown = JSON.parse(tail ?? "[]");
    return Array.isArray(rows) ? Math.max(-1, ...rows.map((row) => stepIn(String(row)))) : -1;
  } catch {
    return -1;
  }
}

function summaryIn(text: string | undefined): ReadonlyMap<string, string> {
  try {
    const summary: unknown = JSON.parse(text ?? "{}");
    return new Map(Object.entries(summary as object).map(([name, value]) => [name, JSON.stringify(value)]));
  } catch {
    return new Map(); // it holds NaN: what is measured from now on fills it again
  }
}

const reasonOf = (error: unknown): string => {
  const { cause } = error as { cause?: unknown };
  return cause === undefined ? messageOf(error) : ((cause as NodeJS.ErrnoException).code ?? messageOf(cause));
};

export class WandbConnection {
  readonly #server: WandbServer;
  readonly #timeoutMs: number;
  readonly #signal: AbortSignal;

  /** @param signal ends every request */
  constructor(server: WandbServer, timeoutMs: number, signal: AbortSignal) {
    this.#server = server;
    this.#timeoutMs = timeoutMs;
    this.#signal = signal;
  }

  /** Makes a run, or updates the one that has its id. @throws RequestError */
  async upsertRun(run: RunDescription, config: RunConfig): Promise<ServerRun> {
    const { runId: name, project, entity, displayName, notes, host, tags } = run;
    const values = Object.fromEntries(Object.entries(config).map(([key, value]) => [key, { value }]));
    const data = await this.#query("UpsertBucket", UPSERT, {
      ...{ name, project, entity: entity ?? null, displayName, notes: notes ?? null, host, tags },
      jobType: JOB_TYPE,
      config: JSON.stringify(values),
    });
    const found = at(data, "upsertBucket", "bucket", "project");
    const owner = textAt(found, "entity", "name") ?? entity;
    if (owner === undefined) throw new RequestError(`${this.#server.baseUrl} did not say whose the run is`, true);
    return { entity: owner, project: textAt(found, "name") ?? project };
  }

  /** @returns undefined if the server has no such run. @throws RequestError */
  async readHistory({ runId: name, project, entity }: RunDescription): Promise<ServerHistory | undefined> {
    const data = await this.#query("RunResumeStatus", RESUME_STATUS, { name, project, entity: entity ?? null });
    const bucket = at(data, "model", "bucket");
    const numRows = at(bucket, "historyLineCount");
    if (typeof numRows !== "number") return undefined;
    return {
      numRows,
      lastStep: lastStepIn(textAt(bucket, "historyTail")),
      summary: summaryIn(textAt(bucket, "summaryMetrics")),
    };
  }

  /** Appends to a run's files on the server, or only shows that the run lives. @throws RequestError */
  async stream({ entity, project }: ServerRun, runId: string, body: Json): Promise<void> {
    const path = [entity, project, runId].map(encodeURIComponent).join("/");
    await this.#post(`/files/${path}/file_stream`, body);
  }

  /** Where people look at a run; the public server has its pages elsewhere than its interface. */
  pageOf({ entity, project }: ServerRun, runId: string): string {
    const site = this.#server.baseUrl.replace(/^https:\/\/api\.wandb\.ai$/, "https://wandb.ai");
    return `${site}/${encodeURIComponent(entity)}/${encodeURIComponent(project)}/runs/${encodeURIComponent(runId)}`;
  }

  async #query(operationName: string, query: string, variables: Json): Promise<unknown> {
    const answer = await this.#post("/graphql", { query, variables, operationName });
    const problem = textAt((at(answer, "errors") as readonly unknown[] | undefined)?.[0], "message");
    if (problem !== undefined) throw new RequestError(`${this.#server.baseUrl} refuses the run: ${problem}`, true);
    return at(answer, "data");
  }

  async #post(path: string, body: Json): Promise<unknown> {
    const { baseUrl, apiKey } = this.#server;
    let status: number;
    let text: string;
    try {
      const response = await fetch(`${baseUrl}${path}`, {
        method: "POST",
        headers: {
          authorization: `Basic ${Buffer.from(`api:${apiKey}`).toString("base64")}`,
          "content-type": "application/json",
          "user-agent": "reflow-vla",
        },
        body: JSON.stringify(body),
        signal: AbortSignal.any([this.#signal, AbortSignal.timeout(this.#timeoutMs)]),
      });
      status = response.status;
      text = await response.text();
    } catch (error) {
      throw new RequestError(`${baseUrl} cannot be reached (${reasonOf(error)})`, false);
    }
    if (status >= 200 && status < 300) return parseAnswer(text);
    const problem = textAt((at(parseAnswer(text), "errors") as readonly unknown[] | undefined)?.[0], "message") ?? text;
    throw new RequestError(
      `${baseUrl} answers with status ${status} (${problem.slice(0, MAX_QUOTED)})`,
      isFinalStatus(status),
    );
  }
}

function parseAnswer(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
