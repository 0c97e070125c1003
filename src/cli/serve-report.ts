/** The report's page on this machine, following what runs write. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { collectReport, type FoundClip, type ReportData, readPage, renderPage } from "../report/index.js";
import { ConfigError, isUserError, messageOf } from "../support/errors.js";

/** How often a page asks for news. */
const INTERVAL_MS = 2000;

/** A report is shown for this many times as long as it took to make: records of any length cost a run little. */
const REST = 9;

export interface ServeOptions {
  readonly folders: readonly string[];
  /** 0 for any that is free */
  readonly port: number;
  /** of this package */
  readonly version: string;
  /** ends it */
  readonly signal: AbortSignal;
  /** told where, once */
  readonly onListening: (url: string) => void;
  readonly intervalMs?: number;
}

/**
 * Serves the page until it is told to stop: `/`, the data as `/report.json`, clips as `/clips/N`. To this machine alone; requests under
 * another host's name, as other pages of the browser could make them, are refused.
 *
 * @throws ConfigError for a port that cannot be used, CheckpointError for a folder that is a file, and if the page was not built
 */
export async function serveReport(options: ServeOptions): Promise<void> {
  const { signal, port, onListening } = options;
  const site = new Site(options, await readPage());
  await site.report(); // a folder that is none is told at once, not by the page
  const server = createServer((request, response) => void site.answer(request, response));
  await listen(server, port);
  onListening(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  await new Promise<void>((done) => {
    if (signal.aborted) done();
    signal.addEventListener("abort", () => done(), { once: true });
  });
  server.close();
  server.closeAllConnections();
}

function listen(server: Server, port: number): Promise<void> {
  const refuse = (reason: string): ConfigError =>
    new ConfigError("watch", [
      { path: "port", message: `${reason}. Pass another one, or --port=0 for any that is free` },
    ]);
  if (!Number.isSafeInteger(port) || port < 0 || port > 65_535) {
    throw refuse(`expected a whole number from 0 to 65535, got ${port}`);
  }
  return new Promise((done, fail) => {
    server.once("error", (error) => fail(refuse(`expected a port that is free, got ${port} (${messageOf(error)})`)));
    server.listen(port, "127.0.0.1", done);
  });
}

class Site {
  readonly #options: ServeOptions;
  readonly #page: string;
  #clips: readonly FoundClip[] = [];
  #collecting: Promise<ReportData> | undefined;
  #latest: { readonly report: ReportData; readonly untilMs: number } | undefined;

  constructor(options: ServeOptions, page: string) {
    this.#options = options;
    this.#page = page;
  }

  async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    try {
      if (!/^(127\.0\.0\.1|localhost|\[::1\])(:\d+)?$/.test(request.headers.host ?? "")) {
        return send(response, 403, "text/plain", "expected a request to 127.0.0.1 or localhost\n");
      }
      if (request.method !== "GET") return send(response, 405, "text/plain", "expected GET\n");
      const [pathname] = request.url!.split("?", 1) as [string];
      if (pathname === "/") {
        const live = { url: "report.json", intervalMs: this.#options.intervalMs ?? INTERVAL_MS };
        return send(response, 200, "text/html", renderPage(this.#page, { report: await this.report(), live }));
      }
      if (pathname === "/report.json") return await this.#sendReport(request, response);
      const clip = /^\/clips\/(\d+)$/.exec(pathname)?.[1];
      const found = clip === undefined ? undefined : this.#clips[Number(clip)];
      if (found) return sendFile(request, response, found);
      send(response, 404, "text/plain", "expected /, got something else\n");
    } catch (error) {
      // The page tries again; what a user can mend is said there.
      const text = isUserError(error) ? error.message : `internal: ${messageOf(error)}`;
      if (response.headersSent) response.destroy();
      else send(response, 500, "text/plain", `${text}\n`);
    }
  }

  /** The report as it is now, or was a moment ago; requests at the same time share one. */
  async report(): Promise<ReportData> {
    if (this.#latest && performance.now() < this.#latest.untilMs) return this.#latest.report;
    this.#collecting ??= this.#collect().finally(() => {
      this.#collecting = undefined;
    });
    return await this.#collecting;
  }

  async #collect(): Promise<ReportData> {
    const beganMs = performance.now();
    const report = await collectReport(this.#options.folders, {
      now: new Date(),
      version: this.#options.version,
      mayBeEmpty: true,
      clipsFrom: async (clips) => {
        this.#clips = clips;
        return clips.map(({ title, file }, i) => ({ title, file, source: `clips/${i}` }));
      },
    });
    const endedMs = performance.now();
    this.#latest = { report, untilMs: endedMs + REST * (endedMs - beganMs) };
    return report;
  }

  async #sendReport(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const report = await this.report();
    const { created: _, ...content } = report;
    const tag = `"${createHash("sha256").update(JSON.stringify(content)).digest("hex").slice(0, 32)}"`;
    response.setHeader("ETag", tag);
    if (request.headers["if-none-match"] === tag) {
      response.writeHead(304).end();
      return;
    }
    send(response, 200, "application/json", JSON.stringify(report));
  }
}

function send(response: ServerResponse, status: number, type: string, text: string): void {
  response
    .writeHead(status, {
      "Content-Type": `${type}; charset=utf-8`,
      "Cache-Control": "no-store",
      "X-Content-Type-Options": "nosniff",
    })
    .end(text);
}

/** A clip, or the part of it that a player asks for. */
function sendFile(request: IncomingMessage, response: ServerResponse, { file, numBytes }: FoundClip): void {
  const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "") ?? [];
  const start = Math.min(Number(from ?? 0), numBytes - 1);
  const end = Math.min(to ? Number(to) : numBytes - 1, numBytes - 1);
  response.writeHead(from === undefined ? 200 : 206, {
    "Content-Type": "video/mp4",
    "Content-Length": Math.max(0, end - start + 1),
    "Accept-Ranges": "bytes",
    ...(from === undefined ? {} : { "Content-Range": `bytes ${start}-${end}/${numBytes}` }),
  });
  createReadStream(file, { start, end: Math.max(start, end) })
    .on("error", () => response.destroy())
    .pipe(response);
}
