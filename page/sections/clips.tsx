import type { ClipList } from "../../src/report/report-data.js";
import { countOf } from "../format.js";

/** Recorded episodes; nothing plays by itself. */
export function Clips({ clips: { clips, leftOut } }: { readonly clips: ClipList }) {
  return (
    <section id="clips" aria-labelledby="clips-title">
      <h2 id="clips-title">Clips</h2>
      <div class="clips">
        {clips.map(({ title, file, source }) => (
          <figure key={file} class="clip">
            <video src={source} controls muted loop playsInline preload="metadata" aria-label={title} />
            <figcaption>{title}</figcaption>
          </figure>
        ))}
      </div>
      {leftOut.length > 0 && (
        <details>
          <summary>{countOf(leftOut.length, "further clip")} not on this page</summary>
          <ul>
            {leftOut.map(({ file, reason }) => (
              <li key={file}>
                <code>{file}</code>: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </section>
  );
}
