/** The written page, in a browser: what it shows, what can be done with it, and that it keeps to itself. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type ReportData, writeReport } from "../../src/report/index.js";
import { makePolicies, QUICK, runCompareCommand } from "../runs/compare-policies.js";
import { RUNS, temporaryFolder, train } from "../runs/training-run.js";
import { expectQuiet, launchBrowser, openPage } from "./chromium.js";
import { plausibleComparison } from "./plausible-comparison.js";
import { plausibleRecords, writeComparison, writeEvaluation, writeRecords } from "./report-folders.js";

const shared = mkdtempSync(join(tmpdir(), "reflow-report-"));
let browser: Browser;
/** A report of everything there is. */
let everything: Written;
beforeAll(async () => {
  browser = await launchBrowser();
  everything = await written(
    writeComparison(join(shared, "compare"), plausibleComparison()),
    writeRecords(join(shared, "first-run"), plausibleRecords()),
    writeRecords(join(shared, "second-run"), plausibleRecords({ seed: 5, every: 5 })),
    writeEvaluation(join(shared, "eval-1")),
    writeEvaluation(join(shared, "eval-2"), { numSteps: 10, numSuccesses: 70 }),
  );
});
afterAll(async () => {
  await browser.close();
  rmSync(shared, { recursive: true });
});

const DESKTOP = { viewport: { width: 1280, height: 900 } };
const PHONE = { viewport: { width: 360, height: 740 } };

interface Written {
  readonly url: string;
  readonly report: ReportData;
}

async function written(...folders: readonly string[]): Promise<Written> {
  const file = join(dirname(folders[0]!), "report.html");
  const report = await writeReport(folders, file, { now: new Date("2026-03-14T10:00:00Z"), version: "0.1.0" });
  return { url: pathToFileURL(file).href, report };
}

const figureIds = (page: Page): Promise<string[]> =>
  page.locator("figure.figure").evaluateAll((figures) => figures.map(({ id }) => id));

describe("the page", () => {
  it("shows every section and figure of its data, says verdicts in sentences, and asks the network for nothing", async () => {
    const { url, report } = everything;
    const opened = await openPage(browser, url, DESKTOP);
    const { page } = opened;
    expect(await page.title()).toBe("compare, first-run, second-run and 2 more – reflow report");
    expect(await page.locator("main > section").evaluateAll((all) => all.map(({ id }) => id))).toEqual(
      ["summary", "comparison-1", "evaluations", "training", "events", "settings"], // no clips: there are none
    );
    expect(await figureIds(page)).toEqual([
      ...[
        "quality-1",
        "flow-paths-1",
        "velocity-deviation-1",
        "success-steps-1",
        "success-latency-1",
        "modes-1",
        "routes-1",
      ],
      ...["evaluated-steps-1", "evaluated-latency-1"],
      ...["loss", "learning-rate", "gradient-norm", "agreement-curves", "loss-by-time"],
    ]);
    const sentences = await page.locator(".conclusion > span:last-child").allTextContents();
    expect(sentences.map((sentence) => sentence.replace(/^[\w ]+: /, ""))).toEqual(
      report.conclusions.map(({ text }) => text),
    );
    expect(await page.locator("section[aria-label='Closed loop'] tbody tr").count()).toBe(12);
    expect(await page.locator("section[aria-label='Closed loop'] tbody tr").nth(3).textContent()).toMatch(
      /^teacher10[\d.]+ % \([\d.]+–[\d.]+ %\)120reference/,
    );
    expectQuiet(opened);
  });

  it("draws the ways of equal noises in equal colours, bent for the teacher and straight for the student", async () => {
    const { url } = everything;
    const { page } = await openPage(browser, url, DESKTOP);
    const lines = (panel: number): Promise<string[]> =>
      page
        .locator("#flow-paths-1 .panel")
        .nth(panel)
        .locator("g[aria-label='line'] path")
        .evaluateAll((paths) => paths.map((path) => path.getAttribute("stroke")!));
    expect(await lines(0)).toHaveLength(28);
    expect(await lines(1)).toEqual(await lines(0));
    const bend = (panel: number): Promise<number> =>
      page.evaluate(`(() => {
        const paths = document.querySelectorAll("#flow-paths-1 .panel")[${panel}].querySelectorAll("g[aria-label='line'] path");
        const shapes = [...paths].map((path) => {
          const length = path.getTotalLength();
          const [a, b] = [path.getPointAtLength(0), path.getPointAtLength(length)];
          return { length, chord: Math.hypot(a.x - b.x, a.y - b.y) };
        });
        const sum = (key) => shapes.reduce((total, shape) => total + shape[key], 0);
        return sum("length") / sum("chord");
      })()`);
    expect(await bend(0)).toBeGreaterThan(1.15);
    expect(await bend(1)).toBeLessThan(1.03);
  });

  it("names what it shows for whoever does not see it, and numbers on demand", async () => {
    const { url } = everything;
    const { page } = await openPage(browser, url, DESKTOP);
    for (const alt of await page
      .locator("[role=img]")
      .evaluateAll((all) => all.map((one) => one.getAttribute("aria-label")!))) {
      expect(alt.length).toBeGreaterThan(40);
      expect(alt).not.toMatch(/undefined|NaN|null/);
    }
    const nameless = await page
      .locator("button, select, input, a")
      .evaluateAll((all) =>
        all.filter((one) => !(one.textContent!.trim() || one.getAttribute("aria-label") || one.closest("label"))),
      );
    expect(nameless).toEqual([]);
    const data = page.locator("#velocity-deviation-1").getByRole("button", { name: "Data", exact: true });
    expect(await page.locator("#velocity-deviation-1 table").count()).toBe(0);
    await data.click();
    expect(await data.getAttribute("aria-expanded")).toBe("true");
    expect(await page.locator("#velocity-deviation-1 thead").textContent()).toBe("policytimemean10 %90 %");
    expect(await page.locator("#velocity-deviation-1 tbody tr").count()).toBe(180);
  });

  it("switches series off and on by real buttons", async () => {
    const { url } = everything;
    const { page } = await openPage(browser, url, DESKTOP);
    const marks = page.locator("#success-steps-1 g[aria-label='dot'] path");
    const teacher = page.locator("#success-steps-1").getByRole("button", { name: "teacher" });
    expect(await marks.count()).toBe(12);
    await teacher.click();
    expect([await teacher.getAttribute("aria-pressed"), await marks.count()]).toEqual(["false", 8]);
    await teacher.press("Enter");
    expect([await teacher.getAttribute("aria-pressed"), await marks.count()]).toEqual(["true", 12]);
  });

  it("shows the teacher as deployed beside the students with chosen steps", async () => {
    const { url } = everything;
    const { page } = await openPage(browser, url, DESKTOP);
    expect(await page.locator("#modes-1 figcaption").textContent()).toContain("teacher with 10 steps: n = ");
    expect(await page.locator("#modes-1 figcaption").textContent()).toContain("one-step with 1 step: n = ");
    await page.locator("#modes-1 select").selectOption("10");
    expect(await page.locator("#modes-1 figcaption").textContent()).toContain("one-step with 10 steps: n = ");
  });

  it("gives a policy the same colour in every figure, also where others are missing", async () => {
    const { closedLoop, ...rest } = plausibleComparison();
    const rows = closedLoop!.rows.filter(({ policy }) => policy !== "teacher").map(({ against: _, ...row }) => row);
    const { url } = await written(
      writeComparison(join(temporaryFolder(), "compare"), {
        ...rest,
        status: "partial",
        closedLoop: { rows },
        verdicts: [],
      }),
    );
    const opened = await openPage(browser, url, DESKTOP);
    for (const id of ["quality-1", "velocity-deviation-1", "success-steps-1", "success-latency-1", "modes-1"]) {
      const entry = opened.page.locator(`#${id} .legend button`, { hasText: "2-rf" }).locator("path").last();
      expect([id, await entry.getAttribute("fill")]).toEqual([id, "var(--series-2)"]);
    }
    expectQuiet(opened);
  });

  it("tells twenty runs apart", async () => {
    const folder = temporaryFolder();
    const records = plausibleRecords({ numSteps: 600 });
    const runs = Array.from({ length: 20 }, (_, i) => writeRecords(join(folder, `run-${i}`), records));
    const opened = await openPage(browser, (await written(...runs)).url, DESKTOP);
    const entries = opened.page.locator("#loss .legend button svg");
    expect(new Set(await entries.evaluateAll((all) => all.map((one) => one.innerHTML))).size).toBe(20);
    const lines = opened.page.locator("#loss g[aria-label=line]");
    expect(await lines.evaluateAll((all) => all.map((one) => one.getAttribute("stroke-dasharray")))).toEqual([
      null,
      "7,3",
      "2,3",
    ]);
    expectQuiet(opened);
  });

  it("labels marks so that no label lies on another", async () => {
    const { page } = await openPage(browser, everything.url, DESKTOP);
    const boxes = (await page.locator("#success-latency-1 g[aria-label=text] text").evaluateAll((all) =>
      all.map((one) => {
        const { left, right, top, bottom } = one.getBoundingClientRect();
        return { left, right, top, bottom };
      }),
    )) as readonly Record<"left" | "right" | "top" | "bottom", number>[];
    expect(boxes.length).toBeGreaterThan(6);
    const clashes = boxes.filter((a, i) =>
      boxes
        .slice(0, i)
        .some((b) => a.left < b.right && b.left < a.right && a.top < b.bottom - 2 && b.top < a.bottom - 2),
    );
    expect(clashes).toEqual([]);
  });

  it("shows routes without a point, and finds texts where versions are no texts", async () => {
    const { closedLoop, ...rest } = plausibleComparison();
    const rows = closedLoop!.rows.map((row) => ({
      ...row,
      routes: row.routes.map((route) => ({ ...route, points: [] })),
    }));
    const settings = { ...rest.settings, environment: { ...rest.settings.environment!, id: "elsewhere" } };
    const folder = temporaryFolder();
    const events = plausibleRecords().map((event) =>
      event.event === "run-start" ? { ...event, versions: { torch: { major: 2 } } as never } : event,
    );
    const opened = await openPage(
      browser,
      (
        await written(
          writeComparison(join(folder, "compare"), { ...rest, settings, closedLoop: { rows } }),
          writeRecords(join(folder, "run"), events),
        )
      ).url,
      DESKTOP,
    );
    expect(await figureIds(opened.page)).toContain("modes-1");
    await opened.page.getByRole("searchbox").fill("torch.major");
    expect(await opened.page.locator("section[aria-label='Settings'] tbody").textContent()).toContain(
      "version of torch",
    );
    expectQuiet(opened);
  });

  it("saves a figure as SVG that stands alone, in the colours of the theme, and its numbers as CSV", async () => {
    const { url } = everything;
    const { page } = await openPage(browser, url, DESKTOP);
    const save = async (name: string): Promise<string> => {
      const [saved] = await Promise.all([
        page.waitForEvent("download"),
        page.locator("#quality-1").getByRole("button", { name, exact: false }).click(),
      ]);
      expect(saved.suggestedFilename()).toMatch(/^quality-1\.(svg|csv)$/);
      return readFileSync(await saved.path(), "utf8");
    };
    await page.locator("#quality-1").getByRole("button", { name: "one-step" }).click();
    const svg = await save("as SVG");
    expect(svg).not.toMatch(/var\(|<script|href="http/);
    expect(svg).toContain(">Quality against steps</text>");
    expect(svg).toContain("#0072b2");
    expect(svg).not.toContain(">one-step</text>");
    const faults = await page.evaluate(
      `new DOMParser().parseFromString(${JSON.stringify(svg)}, "image/svg+xml").querySelectorAll("parsererror").length`,
    );
    expect(faults).toBe(0);
    await page.getByRole("button", { name: "Dark" }).click();
    expect(await save("as SVG")).toContain("#56b4e9");
    const rows = (await save("as CSV")).trimEnd().split("\r\n");
    expect(rows[0]).toBe("policy,steps,e_teach,e_self,noise explained,low (95 %),high (95 %)");
    expect(rows).toHaveLength(13);
    expect(rows[1]).toMatch(/^teacher,1,0\.31,0\.31,-0\.54/);
  });

  it("finds settings by name and value, and those that differ", async () => {
    const { url } = everything;
    const { page } = await openPage(browser, url, DESKTOP);
    const names = (): Promise<string[]> =>
      page.locator("section[aria-label='Settings'] tbody td:first-child").allTextContents();
    await page.getByRole("searchbox").fill("u_SHAPED");
    expect(await names()).toEqual(["reflow.time.law"]);
    await page.getByRole("searchbox").fill("seed");
    expect(await names()).toEqual(["seed"]);
    await page.getByRole("searchbox").fill("");
    const all = (await names()).length;
    await page.getByRole("checkbox").check();
    expect((await names()).length).toBeLessThanOrEqual(all);
    expect(await names()).toContain("seed");
  });

  it("names files that it could not use", async () => {
    const folder = temporaryFolder();
    const run = writeRecords(join(folder, "run"), plausibleRecords());
    const { url } = await written(run, writeComparison(join(folder, "compare"), { format: "other" } as never));
    const { page } = await openPage(browser, url, DESKTOP);
    expect(await page.getByRole("note").textContent()).toMatch(
      /Not in this report[\s\S]*comparison\.json[\s\S]*format/,
    );
  });

  it("shows texts of its data as texts, whatever they are", async () => {
    const hostile = `</script><script>window.hacked=1</script><img src=x onerror="window.hacked=2">\u2028'"&amp;`;
    const comparison = plausibleComparison();
    const renamed = JSON.parse(JSON.stringify(comparison).replaceAll('"2-rf"', JSON.stringify(hostile)));
    const folder = temporaryFolder();
    const { url } = await written(
      writeComparison(join(folder, "<img src=x onerror=hacked=3>"), renamed),
      writeRecords(join(folder, "run"), plausibleRecords({ task: hostile })),
    );
    const opened = await openPage(browser, url, DESKTOP);
    const { page } = opened;
    expect(await page.evaluate("window.hacked")).toBeUndefined();
    expect(await page.locator("main img").count()).toBe(0);
    expect(await page.locator("section[aria-label='Compared policies'] tbody tr").nth(1).textContent()).toContain(
      "</script><script>window.hacked=1</script>",
    );
    await page.getByRole("searchbox").fill("job_name");
    expect(await page.locator("section[aria-label='Settings'] tbody").textContent()).toContain(
      '<img src=x onerror="window.hacked=2">',
    );
    expectQuiet(opened);
  });

  it("reports a training run as it was recorded", async () => {
    const run = await train(
      ...RUNS.reflow,
      "--steps=4",
      "--log_freq=1",
      "--eval_freq=2",
      "--held_out.num_observations=1",
      "--held_out.num_noises=2",
      "--held_out.reference_steps=2",
    );
    const { url, report } = await written(run);
    const opened = await openPage(browser, url, DESKTOP);
    const ids = await figureIds(opened.page);
    for (const id of ["loss", "learning-rate", "gradient-norm", "agreement-curves", "loss-by-time"])
      expect(ids).toContain(id);
    const recorded = readFileSync(join(run, "records.jsonl"), "utf8")
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { readonly event: string; readonly metrics: Record<string, number> })
      .filter(({ event }) => event === "step");
    expect(report.runs[0]!.series["train/loss"]!.values).toEqual(recorded.map(({ metrics }) => metrics["train/loss"]));
    expect(report.runs[0]!.provenance).toContainEqual({ path: "k", value: "2" });
    expect(report.runs[0]!.state).toBe("completed");
    expectQuiet(opened);
  });
});

describe("a comparison that was made", () => {
  it("is shown with all its figures, and its clips can be played", async () => {
    const folder = mkdtempSync(join(shared, "made-"));
    const policies = await makePolicies(folder);
    const { code } = await runCompareCommand(
      ...QUICK,
      `--policies=${policies.teacher},straight=${policies.student}`,
      `--dataset.root=${policies.dataset}`,
      ...["--env.type=avoiding", "--env.max_steps=12", "--eval.n_episodes=3", "--eval.batch_size=2"],
      `--output_dir=${join(folder, "compare")}`,
    );
    expect(code).toBe(0);
    const { url, report } = await written(join(folder, "compare"));
    expect([report.problems, report.clips.leftOut]).toEqual([[], []]);
    const opened = await openPage(browser, url, DESKTOP);
    const ids = await figureIds(opened.page);
    const figures = ["quality-1", "flow-paths-1", "velocity-deviation-1", "success-steps-1", "routes-1"];
    for (const id of figures) expect(ids).toContain(id);
    const durations =
      await opened.page.evaluate(`Promise.all([...document.querySelectorAll("video")].map(async (clip) => {
      if (clip.readyState < 1) await new Promise((done) => { clip.onloadedmetadata = clip.onerror = done; });
      return clip.duration;
    }))`);
    expect(durations).toHaveLength(report.clips.clips.length);
    expect(report.clips.clips.length).toBeGreaterThan(5);
    for (const duration of durations as number[]) expect(duration).toBeGreaterThan(0.2);
    expectQuiet(opened);
  });
});

describe("on a phone", () => {
  it("long names are broken, and push nothing aside", async () => {
    const name = "smolvla_pick_and_place_the_cube_reflow_second_round_seed_1000".repeat(2);
    const folder = temporaryFolder();
    const comparison = JSON.parse(JSON.stringify(plausibleComparison()).replaceAll('"2-rf"', JSON.stringify(name)));
    const { url } = await written(
      writeComparison(join(folder, "compare"), comparison),
      writeRecords(join(folder, "a"), plausibleRecords()),
      writeRecords(join(folder, name), plausibleRecords()),
    );
    for (const size of [PHONE, DESKTOP]) {
      const { page } = await openPage(browser, url, size);
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(size.viewport.width);
      const widths = await page.locator("td:first-child").evaluateAll((all) => all.map((cell) => cell.clientWidth));
      expect(Math.max(...widths)).toBeLessThan(400);
    }
  });

  it("nothing is wider than 360 pixels, with all tables open", async () => {
    const { url } = everything;
    const opened = await openPage(browser, url, PHONE);
    const { page } = opened;
    for (const button of await page.getByRole("button", { name: "Data", exact: true }).all()) await button.click();
    expect(await page.evaluate("document.documentElement.scrollWidth")).toBe(360);
    const drawn = (await page
      .locator("[data-panel] svg")
      .evaluateAll((all) => all.map((svg) => svg.clientWidth))) as number[];
    expect(Math.max(...drawn)).toBeLessThanOrEqual(328);
    expect(drawn.length).toBeGreaterThan(25);
    expectQuiet(opened);
  });
});

it("has no heading that skips a level, and no two regions of one name", async () => {
  const { page } = await openPage(browser, everything.url, DESKTOP);
  const levels = await page
    .locator("h1, h2, h3, h4")
    .evaluateAll((all) => all.map(({ tagName }) => Number(tagName[1])));
  expect(levels.filter((level, i) => i > 0 && level > levels[i - 1]! + 1)).toEqual([]);
  const names = await page
    .locator("section")
    .evaluateAll((all) =>
      all.map(
        (one) =>
          one.getAttribute("aria-label") ?? one.querySelector(`#${one.getAttribute("aria-labelledby")}`)!.textContent,
      ),
    );
  expect(names.filter((name, i) => names.indexOf(name) < i)).toEqual([]);
});

describe("themes", () => {
  const ground = (page: Page): Promise<string> => page.evaluate("getComputedStyle(document.body).backgroundColor");
  const [WHITE, BLACK] = ["rgb(255, 255, 255)", "rgb(21, 25, 29)"];

  it("follow the system until one is chosen, which is remembered", async () => {
    const { url } = everything;
    const { page } = await openPage(browser, url, { ...DESKTOP, colorScheme: "dark" });
    expect(await ground(page)).toBe(BLACK);
    await page.emulateMedia({ colorScheme: "light" });
    await page.waitForSelector("html[data-theme=light]", { state: "attached" });
    expect(await ground(page)).toBe(WHITE);
    await page.getByRole("button", { name: "Dark" }).click();
    expect(await ground(page)).toBe(BLACK);
    await page.reload();
    await page.waitForSelector("main section");
    expect(await ground(page)).toBe(BLACK);
    expect(await page.getByRole("button", { name: "Dark" }).getAttribute("aria-pressed")).toBe("true");
  });

  it.each(["light", "dark"] as const)("%s: text and series stand out from the ground", async (colorScheme) => {
    const { url } = everything;
    const { page } = await openPage(browser, url, { ...DESKTOP, colorScheme });
    const contrast = (name: string): Promise<number> =>
      page.evaluate(`(() => {
        const probe = document.body.appendChild(document.createElement("span"));
        const light = (name) => {
          probe.style.color = "var(" + name + ")";
          const [r, g, b] = getComputedStyle(probe).color.match(/[0-9]+/g).map((c) => c / 255)
            .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b + 0.05;
        };
        const [a, b] = [light("${name}"), light("--surface")];
        return Math.max(a, b) / Math.min(a, b);
      })()`);
    for (const name of ["--text", "--quiet", "--accent", "--kept", "--broken", "--open"]) {
      expect([name, (await contrast(name)) >= 4.5]).toEqual([name, true]);
    }
    for (let i = 1; i <= 7; i++) expect([i, (await contrast(`--series-${i}`)) >= 3]).toEqual([i, true]);
  });
});

describe("the keyboard", () => {
  it("skips to the summary first, reaches every control and shows where it is", async () => {
    const { url } = everything;
    const { page } = await openPage(browser, url, DESKTOP);
    const focused = (expression: string): Promise<unknown> => page.evaluate(`document.activeElement${expression}`);
    await page.keyboard.press("Tab");
    expect(await focused(".textContent")).toBe("Skip to the summary");
    expect(await page.evaluate("document.activeElement.getBoundingClientRect().left >= 0")).toBe(true);
    await page.keyboard.press("Tab");
    expect(await focused(".textContent")).toBe("Dark");
    expect(await page.evaluate("getComputedStyle(document.activeElement).outlineStyle")).toBe("solid");
    await page.keyboard.press("Space");
    expect(await page.evaluate("document.documentElement.dataset.theme")).toBe("dark");
    const reachable = await page.evaluate(
      "[...document.querySelectorAll('button, select, input, a[href], summary, .table-scroll')].filter((one) => one.tabIndex < 0).length",
    );
    expect(reachable).toBe(0);
  });
});
