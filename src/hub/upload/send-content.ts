import { request as requestHttp } from "node:http";
import { request as requestHttps } from "node:https";
import { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { pipeline } from "node:stream/promises";

export interface Content {
  /** storage takes no content of unknown length */
  readonly size: number;
  /** gives the bytes anew for each attempt */
  readonly read: () => AsyncIterable<Uint8Array>;
}

export interface ContentRequest {
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly content: Content;
}

/** How long neither side may be silent. */
const IDLE_MS = 120_000;

/**
 * Sends content no faster than it is taken, so that it is never in memory as a whole; `fetch` reads everything at once,
 * whatever form the content has.
 *
 * @returns the answer, redirects included
 */
export function sendContent(url: string, { method, headers, content }: ContentRequest): Promise<Response> {
  return new Promise((done, fail) => {
    const send = url.startsWith("https:") ? requestHttps : requestHttp;
    const options = {
      method,
      headers: { ...headers, "Content-Length": content.size },
      strictContentLength: true,
      timeout: IDLE_MS,
    };
    const request = send(url, options);
    let isAnswered = false;
    const failUnanswered = (error: unknown): void => {
      // A server that refuses may close the connection before it has taken everything.
      if (!isAnswered) fail(error);
    };
    request.on("timeout", () => request.destroy(new Error(`silence for ${IDLE_MS / 1000} seconds`)));
    request.on("error", failUnanswered);
    request.on("response", (response) => {
      isAnswered = true;
      const status = response.statusCode ?? 0;
      const names = Object.entries(response.headers).map(([name, value]) => [name, String(value)] as const);
      buffer(response)
        .then((body) =>
          done(new Response(body.length > 0 ? body : null, { status, headers: Object.fromEntries(names) })),
        )
        .catch(fail)
        .finally(() => request.destroy());
    });
    pipeline(Readable.from(content.read(), { objectMode: false }), request).catch(failUnanswered);
  });
}
