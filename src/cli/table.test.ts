import { describe, expect, it } from "vitest";
import { formatTable } from "./table.js";

describe("formatTable", () => {
  it("aligns columns under an underlined header", () => {
    const rows = [
      ["action_in_proj", "720 x 32", "23,760"],
      ["embeddings", "", "47,308,800"],
    ];
    expect(formatTable(rows, { header: ["tensor", "shape", "numbers"], align: ["left", "left", "right"] })).toBe(
      [
        "tensor          shape        numbers",
        "--------------  --------  ----------",
        "action_in_proj  720 x 32      23,760",
        "embeddings                47,308,800",
      ].join("\n"),
    );
  });

  it("leaves no spaces at the ends of lines, and accepts short rows", () => {
    expect(formatTable([["a", "long"], ["bb", "x"], ["c"], []])).toBe("a   long\nbb  x\nc\n");
  });

  it("does not count colours as characters", () => {
    const green = "\u001b[32mok\u001b[39m";
    expect(
      formatTable([
        [green, "1"],
        ["none", "2"],
      ]),
    ).toBe(`${green}    1\nnone  2`);
  });

  it("is empty without rows", () => {
    expect(formatTable([])).toBe("");
  });
});
