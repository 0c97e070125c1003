import { setTimeout } from "node:timers/promises";
import { HUB_URL } from "@huggingface/hub";
import type { z } from "zod";
import { HubError, messageOf } from "../../support/errors.js";
import type { HubSettings } from "../settings.js";
import { type Content, sendContent } from "./send-content.js";

/** Requests to a Hub and to the storage behind it, tried again while a failure may pass. */

export interface HubRequest {
  /** the step of the upload in words, after "cannot": `create it`, `store model.safetensors` */
  readonly step: string;
  readonly method: "GET" | "POST" | "PUT";
  readonly url: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly json?: unknown;
  /** whether the Hub gave the address together with the permission to use it, so that no token belongs there */
  readonly isPermitted?: boolean;
  readonly content?: Content;
}

export interface HubClient {
  /** the repository in words, for messages */
  readonly what: string;
  /** without a slash at the end */
  readonly endpoint: string;
  /** The answer to a request, whatever its status, once trying again would not help. */
  readonly send: (request: HubRequest) => Promise<Response>;
}

export interface ClientOptions {
  readonly what: string;
  readonly settings: Pick<HubSettings, "endpoint" | "token">;
  /** before each further attempt; Hugging Face's own if left out */
  readonly retryWaitsMs?: readonly number[] | undefined;
}

const RETRY_WAITS_MS = [1000, 2000, 4000, 8000, 8000];
const LONGEST_WAIT_MS = 60_000;
const MOST_REDIRECTS = 5;

const isTransient = (status: number): boolean => status === 429 || status >= 500;

/** What a server asks for before the next attempt, in `Retry-After: <seconds>`. */
const askedWaitMs = (response: Response | undefined): number =>
  Math.min(LONGEST_WAIT_MS, 1000 * (Number(response?.headers.get("Retry-After")) || 0));

/** @throws HubError if there is no token, or none that can be sent */
export function hubClient({ what, settings, retryWaitsMs = RETRY_WAITS_MS }: ClientOptions): HubClient {
  const { token } = settings;
  const endpoint = settings.endpoint ?? HUB_URL;
  if (token === undefined) {
    throw new HubError(
      `${what}: expected a token that may write, got none. Set HF_TOKEN to one, or log in with Hugging Face's tools`,
    );
  }
  if (!/^[\x21-\x7e]+$/.test(token)) {
    throw new HubError(
      "HF_TOKEN (or the saved token): expected letters and digits without spaces, got other characters",
    );
  }
  const ownOrigin = originOf(endpoint);
  if (ownOrigin === undefined) throw new HubError(`HF_ENDPOINT: expected the address of a Hub, got "${endpoint}"`);
  const headersFor = ({ headers, json, isPermitted = false }: HubRequest, url: string): Record<string, string> => ({
    // Nobody but the Hub may learn the token.
    ...(!isPermitted && originOf(url) === ownOrigin ? { Authorization: `Bearer ${token}` } : {}),
    ...(json === undefined ? {} : { "Content-Type": "application/json" }),
    ...headers,
  });
  const attempt = async (request: HubRequest, url = request.url, numRedirects = 0): Promise<Response> => {
    const { method, json, content } = request;
    const headers = headersFor(request, url);
    if (content === undefined) {
      return fetch(url, { method, headers, ...(json === undefined ? {} : { body: JSON.stringify(json) }) });
    }
    const response = await sendContent(url, { method, headers, content });
    const target = response.headers.get("Location");
    const isElsewhere = (response.status === 307 || response.status === 308) && target !== null;
    if (!isElsewhere || numRedirects === MOST_REDIRECTS) return response;
    return attempt(request, new URL(target, url).href, numRedirects + 1);
  };
  const send = async (request: HubRequest): Promise<Response> => {
    for (const waitMs of [...retryWaitsMs, undefined]) {
      let response: Response | undefined;
      try {
        response = await attempt(request);
        if (waitMs === undefined || !isTransient(response.status)) return response;
        await response.body?.cancel();
      } catch (cause) {
        if (waitMs === undefined || isFileError(cause)) throw failure(what, request, cause);
      }
      await setTimeout(Math.max(waitMs, askedWaitMs(response)));
    }
    throw new Error("internal: the last attempt neither answered nor failed");
  };
  return { what, endpoint, send };
}

function originOf(url: string): string | undefined {
  try {
    return new URL(url).origin;
  } catch {
    return undefined;
  }
}

/** An address without what is secret in it: addresses of storage carry a permission in their query. */
const publicPart = (url: string): string => url.replace(/[?#].*$/s, "");

const innermost = (error: unknown): unknown =>
  error instanceof Error && error.cause !== undefined ? innermost(error.cause) : error;

/** Whether a request failed because its content could not be read. */
function isFileError(error: unknown): boolean {
  const inner = innermost(error);
  return inner instanceof Error && "syscall" in inner && "path" in inner;
}

function failure(what: string, { step, url }: HubRequest, cause: unknown): HubError {
  const advice = isFileError(cause)
    ? "Was it changed meanwhile? Try again"
    : "Check the network, or HF_ENDPOINT if it is set, and try again: what is stored already is not sent again";
  const reason = messageOf(innermost(cause));
  return new HubError(`${what}: cannot ${step} (${reason}). ${advice}`, { url: publicPart(url), cause });
}

const ADVICE: readonly [isMeant: (status: number, said: string) => boolean, advice: string][] = [
  [
    (status, said) => status < 500 && /quota|storage limit|limit reached|payment|too large/i.test(said),
    "The account's storage does not allow it: free some, make the repository public, or enlarge the account's plan",
  ],
  [(status) => status === 401, "Set HF_TOKEN to a valid token that may write"],
  [(status) => status === 402, "The account's plan does not allow it"],
  [(status) => status === 403, "The token may not write there: check its permissions, and whether the name is yours"],
  [(status) => status === 404, "Check the name, and whether the token may see it"],
  [(status) => status === 409 || status === 412, "Somebody else changed the repository meanwhile: try again"],
  [(status) => status === 429, "Too many requests: wait a while and try again"],
  [(status) => status >= 500, "The server has a problem: try again later; what is stored already is not sent again"],
];

/** What a server says about its refusal, in the header or body that it uses for that. */
function saidBy(response: Response, body: string): string {
  const header = response.headers.get("X-Error-Message");
  if (header) return header;
  try {
    const { error, message } = JSON.parse(body) as { error?: unknown; message?: unknown };
    const said = error ?? message;
    return typeof said === "string" ? said : "";
  } catch {
    // Storage answers in XML.
    return /<Message>([^<]*)<\/Message>/.exec(body)?.[1] ?? "";
  }
}

/** A refusal as an error with status, URL and what to do. */
export async function refusal({ what }: HubClient, request: HubRequest, response: Response): Promise<HubError> {
  const said = saidBy(response, (await response.text().catch(() => "")).slice(0, 10_000)).slice(0, 500);
  const advice = ADVICE.find(([isMeant]) => isMeant(response.status, said))?.[1];
  const got = `got status ${response.status} from ${publicPart(request.url)}${said ? ` (${said})` : ""}`;
  return new HubError(`${what}: cannot ${request.step}: ${got}${advice ? `. ${advice}` : ""}`, {
    status: response.status,
    url: publicPart(request.url),
  });
}

/** Sends a request that must succeed. @throws HubError */
export async function sendOk(client: HubClient, request: HubRequest): Promise<Response> {
  const response = await client.send(request);
  if (!response.ok) throw await refusal(client, request, response);
  return response;
}

/** Sends a request that must succeed, and gives its answer. @throws HubError, also for an answer of another form */
export async function ask<T>(client: HubClient, schema: z.ZodType<T>, request: HubRequest): Promise<T> {
  const response = await sendOk(client, request);
  let value: unknown;
  try {
    value = await response.json();
  } catch {
    value = undefined;
  }
  const answer = schema.safeParse(value);
  if (answer.success) return answer.data;
  const [issue] = answer.error.issues;
  const place = issue?.path.length ? ` at ${issue.path.join(".")}` : "";
  throw new HubError(
    `${client.what}: cannot ${request.step}: expected the answer of a Hub, got another${place} from ` +
      `${publicPart(request.url)}. Check HF_ENDPOINT`,
    { status: response.status, url: publicPart(request.url) },
  );
}
