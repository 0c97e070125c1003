import { useState } from "preact/hooks";
import type { RunReport } from "../../src/report/report-data.js";
import { Choice } from "../figure/choice.js";
import { dateTime } from "../format.js";

const KINDS = ["warnings", "everything"] as const;

/** Warnings of the runs and of the health watch; on demand also beginnings, checkpoints and ends. */
export function Events({ runs }: { readonly runs: readonly RunReport[] }) {
  const [kind, setKind] = useState<string>(KINDS[0]);
  const events = runs
    .flatMap(({ name, events: notes }) => notes.map((note) => ({ run: name, ...note })))
    .filter((note) => kind === "everything" || note.kind === "warning");
  const torn = runs.filter(({ droppedLines }) => droppedLines.length > 0);
  return (
    <section id="events" aria-labelledby="events-title">
      <h2 id="events-title">Warnings and events</h2>
      <Choice label="Show" options={KINDS} value={kind} onChange={setKind} />
      {events.length === 0 && <p class="quiet">No warnings were recorded.</p>}
      <ol class="events">
        {events.map(({ run, kind: what, step, time, message, isTakenBack }, i) => (
          <li key={`${run} ${i}`} class={what}>
            <span class="where">
              {run}, step {step}
            </span>{" "}
            <time dateTime={time} class="quiet">
              {dateTime(time)}
            </time>
            {isTakenBack && <span class="tag">taken back</span>}
            <p>{what === "checkpoint" ? `checkpoint ${message}` : message}</p>
          </li>
        ))}
      </ol>
      {torn.map(({ name, droppedLines }) => (
        <p key={name} class="quiet">
          {name}: line {droppedLines.join(", ")} of records.jsonl {droppedLines.length === 1 ? "is" : "are"} no record
          (torn, or still being written).
        </p>
      ))}
    </section>
  );
}
