import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CheckpointError } from "../support/errors.js";
import { jsonForScript, renderPage } from "./render-page.js";
import type { PageContent } from "./report-data.js";

describe("jsonForScript", () => {
  it("reads back as the same value, and holds nothing that HTML or JavaScript could take for an end", () => {
    const hostile = fc.constantFrom("</script>", "<!--", "-->", "\u2028", "\u2029", "]]>", "&lt;", "$&", "$'");
    fc.assert(
      fc.property(fc.dictionary(fc.string(), fc.array(fc.oneof(hostile, fc.string()))), (value) => {
        const text = jsonForScript(value);
        expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
        expect(text).not.toMatch(/[<>&\u2028\u2029]/);
      }),
    );
  });
});

describe("renderPage", () => {
  const content = { report: { version: "$& $' </script>" } } as unknown as PageContent;

  it("puts the content in its place and changes nothing else", () => {
    const page = renderPage('<script>"__REFLOW_REPORT_CONTENT__"</script><p>$&</p>', content);
    expect(page).toBe(`<script>${jsonForScript(content)}</script><p>$&</p>`);
  });

  it("refuses a page that has no place for content", () => {
    expect(() => renderPage("<p></p>", content)).toThrow(CheckpointError);
    expect(() => renderPage("<p></p>", content)).toThrow(/page\.html has no place for content\. Run npm run build$/);
  });
});
