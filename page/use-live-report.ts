import { useEffect, useState } from "preact/hooks";
import type { PageContent, ReportData } from "../src/report/report-data.js";

export interface LiveReport {
  readonly report: ReportData;
  /** undefined for a finished report */
  readonly connection: "live" | "lost" | undefined;
}

/** The report that the page was given, replaced by newer ones as long as somebody serves them. */
export function useLiveReport({ report: first, live }: PageContent): LiveReport {
  const [report, setReport] = useState(first);
  const [connection, setConnection] = useState<LiveReport["connection"]>(live && "live");
  useEffect(() => {
    if (live === undefined) return;
    let tag: string | null = null;
    let timer: ReturnType<typeof setTimeout>;
    let isGone = false;
    const ask = async (): Promise<void> => {
      try {
        const answer = await fetch(live.url, { cache: "no-store", headers: tag ? { "If-None-Match": tag } : {} });
        if (!answer.ok && answer.status !== 304) throw new Error(`status ${answer.status}`);
        if (answer.status === 200) {
          const next = (await answer.json()) as ReportData;
          tag = answer.headers.get("ETag");
          if (!isGone) setReport(next);
        }
        if (!isGone) setConnection("live");
      } catch {
        if (!isGone) setConnection("lost");
      }
      if (!isGone) timer = setTimeout(ask, live.intervalMs);
    };
    timer = setTimeout(ask, live.intervalMs);
    return () => {
      isGone = true;
      clearTimeout(timer);
    };
  }, [live]);
  return { report, connection };
}
