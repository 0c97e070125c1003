/** A browser without a window for the tests: the one that a package brings along, or another by REFLOW_CHROMIUM. */
import packed from "@sparticuz/chromium";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";

export async function launchBrowser(): Promise<Browser> {
  const own = process.env.REFLOW_CHROMIUM;
  // In a single process the first profile that is closed takes the browser with it.
  const args = own ? ["--no-sandbox"] : packed.args.filter((argument) => argument !== "--single-process");
  return chromium.launch({ executablePath: own ?? (await packed.executablePath()), args, headless: true });
}

export interface OpenedPage {
  readonly page: Page;
  /** what the page said in the console that is no mere note, and what it threw */
  readonly complaints: readonly string[];
  /** addresses that it asked for, besides its own and those within it */
  readonly requests: readonly string[];
}

/**
 * Opens an address in a fresh profile, until the end of the test.
 *
 * @param mayAsk whether a request is answered; all others fail
 */
export async function openPage(
  browser: Browser,
  url: string,
  { mayAsk = () => false, ...options }: BrowserContextOptions & { readonly mayAsk?: (url: string) => boolean } = {},
): Promise<OpenedPage> {
  const context = await browser.newContext({ acceptDownloads: true, locale: "en-GB", ...options });
  onTestFinished(() => context.close());
  const page = await context.newPage();
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(error.message));
  await page.route("**/*", (route) => {
    const asked = route.request().url();
    if (asked === url || asked.startsWith("data:") || asked.startsWith("blob:")) return route.continue();
    requests.push(asked);
    return mayAsk(asked) ? route.continue() : route.abort();
  });
  await page.goto(url);
  await page.waitForSelector("main section");
  return { page, complaints, requests };
}

/** What must hold of every page. */
export function expectQuiet({ complaints, requests }: OpenedPage): void {
  expect({ complaints, requests }).toEqual({ complaints: [], requests: [] });
}
