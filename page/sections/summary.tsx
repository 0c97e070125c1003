import type { Conclusion, ReportData, Tone } from "../../src/report/report-data.js";

const TONES: Readonly<Record<Tone, { readonly mark: string; readonly word: string }>> = {
  kept: { mark: "✓", word: "Holds" },
  broken: { mark: "✕", word: "Does not hold" },
  warning: { mark: "!", word: "Warning" },
  open: { mark: "?", word: "Not known" },
  note: { mark: "·", word: "Note" },
};

/** What to believe and what not, by what it is about. */
export function Summary({ report }: { readonly report: ReportData }) {
  const { conclusions, problems, awaited } = report;
  const subjects = [...new Set(conclusions.map(({ about }) => about))];
  return (
    <section id="summary" aria-labelledby="summary-title">
      <h2 id="summary-title">What to believe</h2>
      {awaited.map((folder) => (
        <p key={folder} class="notice">
          Waiting for {folder} to be written.
        </p>
      ))}
      {problems.length > 0 && (
        <div class="notice" role="note">
          <h3>Not in this report</h3>
          <p>These files were found and cannot be used:</p>
          <ul>
            {problems.map(({ file, message }) => (
              <li key={file}>
                <code>{file}</code>
                <pre>{message}</pre>
              </li>
            ))}
          </ul>
        </div>
      )}
      {subjects.map((subject) => (
        <div key={subject} class="subject">
          <h3>{subject}</h3>
          <ul class="conclusions">
            {conclusions
              .filter(({ about }) => about === subject)
              .map((conclusion) => (
                <Sentence key={conclusion.text} conclusion={conclusion} />
              ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

function Sentence({ conclusion: { tone, text } }: { readonly conclusion: Conclusion }) {
  const { mark, word } = TONES[tone];
  return (
    <li class={`conclusion ${tone}`}>
      <span class="mark" aria-hidden="true">
        {mark}
      </span>
      <span>
        <span class="visually-hidden">{word}: </span>
        {text}
      </span>
    </li>
  );
}
