/** The page that follows a run, and the commands. */
import { spawn } from "node:child_process";
import {
  appendFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { get } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import type { Browser } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { command as reportCommand } from "../../src/cli/commands/report.js";
import { command as watchCommand } from "../../src/cli/commands/watch.js";
import { serveReport } from "../../src/cli/serve-report.js";
import { runCommand } from "../commands/run-command.js";
import { FIXTURE } from "../parity/fixture.js";
import { filesIn, temporaryFolder } from "../runs/training-run.js";
import { launchBrowser, openPage } from "./chromium.js";
import { plausibleRecords, recordLines, writeEvaluation, writeRecords } from "./report-folders.js";

let browser: Browser;
beforeAll(async () => {
  browser = await launchBrowser();
});
afterAll(() => browser.close());

interface Served {
  readonly url: string;
  readonly stop: () => Promise<void>;
}

async function served(folder: string): Promise<Served> {
  const end = new AbortController();
  let ended!: Promise<void>;
  const url = await new Promise<string>((done, fail) => {
    ended = serveReport({
      folders: [folder],
      port: 0,
      version: "0.1.0",
      signal: end.signal,
      onListening: done,
      intervalMs: 50,
    });
    ended.catch(fail);
  });
  const stop = (): Promise<void> => {
    end.abort();
    return ended;
  };
  onTestFinished(stop);
  return { url, stop };
}

describe("the live page", () => {
  it("waits for a run, follows it through a torn line, and leaves the reader's place and choices alone", async () => {
    const folder = join(temporaryFolder(), "run");
    const { url, stop } = await served(folder);
    const opened = await openPage(browser, url, {
      viewport: { width: 1000, height: 600 },
      mayAsk: (asked) => asked.startsWith(url),
    });
    const { page } = opened;
    expect(await page.locator("#summary").textContent()).toContain(`Waiting for ${folder} to be written.`);

    const lines = recordLines(plausibleRecords()).split(/(?<=\n)/);
    mkdirSync(folder);
    writeFileSync(join(folder, "records.jsonl"), lines.slice(0, 30).join(""));
    await page.waitForSelector("#loss svg");
    expect(await page.locator("#summary").textContent()).not.toContain("Waiting");

    await page.locator("#agreement-curves").getByRole("button", { name: "5 Euler steps" }).click();
    await page.getByRole("searchbox").fill("seed");
    await page.locator("#loss-by-time").scrollIntoViewIfNeeded();
    const place = await page.locator("#loss-by-time h4").evaluate((title) => title.getBoundingClientRect().top);
    const torn = lines[30]!.slice(0, 40);
    appendFileSync(join(folder, "records.jsonl"), torn);
    await page.locator("#events", { hasText: "no record" }).waitFor();
    appendFileSync(join(folder, "records.jsonl"), lines[30]!.slice(40) + lines.slice(31).join(""));
    await page.locator("#training", { hasText: "completed" }).waitFor();
    expect(await page.locator("#events").textContent()).not.toContain("no record");
    expect(await page.locator("section[aria-label='Training runs'] tbody").textContent()).toContain("6000 of 6000");

    expect(await page.locator("#loss-by-time h4").evaluate((title) => title.getBoundingClientRect().top)).toBeCloseTo(
      place,
      -2,
    );
    expect(await page.locator("#agreement-curves button[aria-pressed=false]").textContent()).toBe("5 Euler steps");
    expect(await page.getByRole("searchbox").inputValue()).toBe("seed");
    expect(await page.locator(".live").textContent()).toBe("Live");
    expect(opened.complaints).toEqual([]);

    await stop();
    await page.waitForSelector(".live.lost");
    expect(await page.locator("#loss svg").count()).toBeGreaterThan(0);
  });

  it("is not sent again while nothing has changed", async () => {
    const { url } = await served(writeRecords(join(temporaryFolder(), "run"), plausibleRecords()));
    const first = await fetch(`${url}report.json`);
    const tag = first.headers.get("etag")!;
    expect((await first.json()) as object).toMatchObject({ runs: [{ state: "completed" }] });
    expect((await fetch(`${url}report.json`, { headers: { "If-None-Match": tag } })).status).toBe(304);
  });

  it("serves clips by parts, and no other file", async () => {
    const videos = join(FIXTURE, "dataset-v3.0/videos");
    const bytes = readFileSync(join(videos, filesIn(videos)[0]!));
    const folder = join(temporaryFolder(), "eval");
    mkdirSync(join(folder, "videos"), { recursive: true });
    writeFileSync(join(folder, "videos", "one.mp4"), bytes);
    const { url } = await served(writeEvaluation(folder, { videos: ["videos/one.mp4"] }));
    await fetch(`${url}report.json`);
    const part = await fetch(`${url}clips/0`, { headers: { Range: "bytes=4-9" } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 4-9/${bytes.length}`]);
    expect(Buffer.from(await part.arrayBuffer()).equals(bytes.subarray(4, 10))).toBe(true);
    expect(Buffer.from(await (await fetch(`${url}clips/0`)).arrayBuffer()).equals(bytes)).toBe(true);
    for (const path of ["clips/1", "eval_info.json", "..%2f..%2fetc/passwd"]) {
      expect((await fetch(url + path)).status).toBe(404);
    }
    expect((await fetch(url, { method: "POST" })).status).toBe(405);
  });

  it("goes on after a folder that was something else for a while, and after addresses that are none", async () => {
    const folder = writeRecords(join(temporaryFolder(), "run"), plausibleRecords());
    const { url } = await served(folder);
    renameSync(folder, `${folder}-aside`);
    writeFileSync(folder, "");
    const answer = async () => (await fetch(`${url}report.json`)).status;
    await expect.poll(answer).toBe(500);
    rmSync(folder);
    renameSync(`${folder}-aside`, folder);
    await expect.poll(answer).toBe(200);
    expect((await fetch(`${url}/`)).status).toBe(404);
  });

  it("refuses requests under another host's name", async () => {
    const { url } = await served(writeRecords(join(temporaryFolder(), "run"), plausibleRecords()));
    const status = await new Promise((done) => {
      get(`${url}report.json`, { headers: { Host: "elsewhere.example" } }, (response) => {
        response.resume();
        done(response.statusCode);
      });
    });
    expect(status).toBe(403);
  });
});

describe("reflow watch", () => {
  it("says where it serves, and ends well on Ctrl-C", async () => {
    const folder = writeRecords(join(temporaryFolder(), "run"), plausibleRecords());
    const child = spawn(process.execPath, ["dist/cli/main.js", "watch", folder, "--port=0"]);
    onTestFinished(() => void child.kill("SIGKILL"));
    let out = "";
    const url = await new Promise<string>((done, fail) => {
      child.stdout.setEncoding("utf8").on("data", (text: string) => {
        out += text;
        const found = /http:\/\/127\.0\.0\.1:\d+\//.exec(out)?.[0];
        if (found) done(found);
      });
      child.on("close", () => fail(new Error(out)));
    });
    expect(await (await fetch(url)).text()).toContain("<title>Reflow report</title>");
    const code = new Promise((done) => child.on("close", done));
    child.kill("SIGINT");
    expect(await code).toBe(0);
  });

  it("names a port that cannot be used, and a folder that is none", async () => {
    const folder = temporaryFolder();
    const other = createServer().listen(0, "127.0.0.1");
    onTestFinished(() => void other.close());
    await new Promise((done) => other.once("listening", done));
    const { port } = other.address() as { readonly port: number };
    expect(await runCommand(watchCommand, [folder, `--port=${port}`])).toMatchObject({
      code: 1,
      err: expect.stringMatching(
        /^watch at port: expected a port that is free, got \d+ .*--port=0 for any that is free\n$/,
      ),
    });
    expect((await runCommand(watchCommand, [folder, "--port=70000"])).err).toContain("from 0 to 65535, got 70000");
    writeFileSync(join(folder, "file"), "");
    expect((await runCommand(watchCommand, [join(folder, "file"), "--port=0"])).err).toContain("which is a file");
  });
});

describe("reflow report", () => {
  it("writes one file that names no other, under the name that -o gives", async () => {
    const folder = temporaryFolder();
    const run = writeRecords(join(folder, "run"), plausibleRecords());
    const file = join(folder, "pages", "run.html");
    expect(await runCommand(reportCommand, [run, "-o", file])).toEqual({ code: 0, out: `${file}\n`, err: "" });
    const page = readFileSync(file, "utf8");
    expect(page).toContain('"reflow-report/1"');
    expect(page).not.toMatch(/<(script|link|img|video)[^>]+(src|href)="(?!data:)/);
  });

  it("replaces what a link names, and nothing that is no file", async () => {
    const folder = temporaryFolder();
    const run = writeRecords(join(folder, "run"), plausibleRecords());
    const [file, link] = [join(folder, "page.html"), join(folder, "link.html")];
    writeFileSync(file, "older");
    symlinkSync(file, link);
    expect(await runCommand(reportCommand, [run, "-o", link])).toMatchObject({ code: 0 });
    expect([lstatSync(link).isSymbolicLink(), readFileSync(file, "utf8").length > 1000]).toEqual([true, true]);
    expect(await runCommand(reportCommand, [run, "-o", folder])).toMatchObject({
      code: 1,
      err: `report: expected a place for a file, got ${folder}, which is a folder\n`,
    });
    const socket = createServer().listen(join(folder, "socket"));
    onTestFinished(() => void socket.close());
    await new Promise((done) => socket.once("listening", done));
    expect((await runCommand(reportCommand, [run, "-o", join(folder, "socket")])).err).toContain("which is no file");
  });

  it("warns of a damaged file and reports the rest", async () => {
    const folder = temporaryFolder();
    const run = writeRecords(join(folder, "run"), plausibleRecords());
    mkdirSync(join(folder, "compare"));
    writeFileSync(join(folder, "compare", "comparison.json"), "{");
    const file = join(folder, "report.html");
    const { code, out, err } = await runCommand(reportCommand, [run, join(folder, "compare"), `--output=${file}`]);
    expect([code, out]).toEqual([0, `${file}\n`]);
    expect(err).toMatch(/^warning: not in the report: .*comparison\.json: expected JSON/);
  });

  it("refuses folders without anything, and a place that cannot be written, and leaves no file behind", async () => {
    const folder = temporaryFolder();
    const run = writeRecords(join(folder, "run"), plausibleRecords());
    const place = join(run, "records.jsonl", "report.html");
    expect(await runCommand(reportCommand, [run, "-o", place])).toMatchObject({
      code: 1,
      err: expect.stringContaining(`report: ${place} cannot be written (`),
    });
    const empty = temporaryFolder();
    const { code, err } = await runCommand(reportCommand, [run, empty, "-o", join(empty, "report.html")]);
    expect([code, existsSync(join(empty, "report.html"))]).toEqual([1, false]);
    expect(err).toContain(`report: expected ${empty} to hold records.jsonl`);
  });
});
