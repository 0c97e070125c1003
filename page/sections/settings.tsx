import { useState } from "preact/hooks";
import type { ReportData, Setting } from "../../src/report/report-data.js";
import { DataTable } from "../figure/table.js";

interface Column {
  readonly name: string;
  readonly settings: readonly Setting[];
}

/** How everything was made: one column for each run and evaluation, one row for each setting. */
export function Settings({ report }: { readonly report: ReportData }) {
  const columns = columnsOf(report);
  const [words, setWords] = useState("");
  const [onlyDifferent, setOnlyDifferent] = useState(false);
  const maps = columns.map(({ settings }) => new Map(settings.map(({ path, value }) => [path, value])));
  const paths = [...new Set(columns.flatMap(({ settings }) => settings.map(({ path }) => path)))];
  const rows = paths
    .map((path) => [path, ...maps.map((map) => map.get(path) ?? null)] as const)
    .filter((row) => !onlyDifferent || new Set(row.slice(1)).size > 1)
    .filter((row) => row.some((cell) => cell?.toLowerCase().includes(words.toLowerCase())));
  const provenances = report.comparisons.flatMap(({ name, comparison }) =>
    comparison.policies.filter(({ provenance }) => provenance !== undefined).map((policy) => ({ name, policy })),
  );
  return (
    <section id="settings" aria-labelledby="settings-title">
      <h2 id="settings-title">Settings and provenance</h2>
      <div class="controls">
        <label class="choice">
          <span>Search</span>
          <input
            type="search"
            value={words}
            placeholder="setting or value"
            onInput={(event) => setWords(event.currentTarget.value)}
          />
        </label>
        {columns.length > 1 && (
          <label class="choice">
            <input
              type="checkbox"
              checked={onlyDifferent}
              onChange={(event) => setOnlyDifferent(event.currentTarget.checked)}
            />
            <span>only what differs</span>
          </label>
        )}
      </div>
      <p class="quiet" role="status">
        {rows.length} of {paths.length} settings
      </p>
      <div class="tall">
        <DataTable label="Settings" table={{ columns: ["setting", ...columns.map(({ name }) => name)], rows }} />
      </div>
      {provenances.map(({ name, policy }) => (
        <details key={`${name} ${policy.name}`}>
          <summary>
            reflow.json of {policy.name} in {name}
          </summary>
          <pre>{JSON.stringify(policy.provenance, null, 2)}</pre>
        </details>
      ))}
    </section>
  );
}

function columnsOf({ runs, comparisons, evaluations }: ReportData): readonly Column[] {
  const prefixed = (prefix: string, settings: readonly Setting[]): readonly Setting[] =>
    settings.map(({ path, value }) => ({ path: `${prefix}${path}`, value }));
  const versions = (of: Readonly<Record<string, string>>): readonly Setting[] =>
    Object.entries(of).map(([path, value]) => ({ path: `version of ${path}`, value }));
  return [
    ...runs.map((run) => ({
      name: run.name,
      settings: [
        { path: "folder", value: run.folder },
        ...run.settings,
        ...prefixed("reflow.json: ", run.provenance),
        ...versions(run.versions),
      ],
    })),
    ...comparisons.map(({ name, folder, comparison: { created, margins, settings } }) => ({
      name,
      settings: [
        { path: "folder", value: folder },
        { path: "created", value: created },
        ...Object.entries(margins).map(([path, value]) => ({ path: `margin: ${path}`, value: String(value) })),
        ...Object.entries(settings)
          .filter(([path]) => path !== "versions")
          .map(([path, value]) => ({ path, value: typeof value === "string" ? value : JSON.stringify(value) })),
        ...versions(settings.versions),
      ],
    })),
    ...evaluations.map(({ name, folder, settings }) => ({
      name,
      settings: [{ path: "folder", value: folder }, ...settings],
    })),
  ].filter(({ settings }) => settings.length > 1);
}
