import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { chartsToSvg } from "./charts-to-svg.js";
import { type LineChart, scalesOf, shownRuns } from "./line-chart.js";
import { plotInTerminal } from "./plot-in-terminal.js";

const chart = (over: Partial<LineChart> = {}): LineChart => ({
  title: "Loss <&> rate",
  x: { label: "step", scale: "linear" },
  y: { label: "loss", scale: "log" },
  series: [
    {
      name: "falling",
      points: [
        [0, 1],
        [50, 0.1],
        [100, 0.01],
      ],
    },
    {
      name: "flat",
      points: [
        [0, 0.1],
        [100, 0.1],
      ],
    },
  ],
  ...over,
});

const withPoints = (points: LineChart["series"][number]["points"], over: Partial<LineChart> = {}): LineChart =>
  chart({ series: [{ name: "one", points }], ...over });

describe("scales", () => {
  it("put round ticks inside the axis: 1, 2, 5 times powers of ten, or powers alone over many decades", () => {
    const { x, y } = scalesOf(chart())!;
    expect(x.ticks).toEqual([0, 20, 40, 60, 80, 100]);
    expect(y.ticks).toEqual([0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1]);
    const wide = scalesOf(
      withPoints([
        [1, 1e-8],
        [2, 1],
      ]),
    )!;
    expect(wide.y.ticks).toEqual([1e-8, 1e-7, 1e-6, 1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1]);
  });

  it("place values evenly by their logarithms", () => {
    const { y } = scalesOf(chart())!;
    expect(y.position(0.1) - y.position(0.01)).toBeCloseTo(y.position(1) - y.position(0.1), 12);
    expect(y.position(0.1)).toBeCloseTo(0.5, 12);
  });

  it.each<[string, LineChart["series"][number]["points"]]>([
    ["a single point", [[3, 0.2]]],
    [
      "equal values",
      [
        [1, 0.2],
        [2, 0.2],
      ],
    ],
    [
      "values too close for round logarithms",
      [
        [1, 0.181],
        [2, 0.182],
      ],
    ],
  ])("of %s have ticks and keep the points inside", (_, points) => {
    const { x, y } = scalesOf(withPoints(points))!;
    for (const [px, py] of points) {
      for (const position of [x.position(px), y.position(py)]) {
        expect(position).toBeGreaterThanOrEqual(0);
        expect(position).toBeLessThanOrEqual(1);
      }
    }
    expect(x.ticks.length).toBeGreaterThan(0);
    expect(y.ticks.length).toBeGreaterThan(0);
  });
});

it("a line is broken where an axis cannot show a point", () => {
  const points = [
    [1, 1],
    [2, Number.NaN],
    [3, 0],
    [4, -1],
    [5, Number.POSITIVE_INFINITY],
    [6, 2],
    [7, 3],
  ] as const;
  const { series, ...axes } = withPoints(points);
  expect(shownRuns(series[0]!, axes)).toEqual([
    [[1, 1]],
    [
      [6, 2],
      [7, 3],
    ],
  ]);
});

describe("an SVG", () => {
  it("is drawn by a renderer: each series in its colour, where its values are", async () => {
    const svg = chartsToSvg([chart()]);
    const { data, info } = await sharp(Buffer.from(svg)).removeAlpha().raw().toBuffer({ resolveWithObject: true });
    expect([info.width, info.height]).toEqual([560, 360]);
    const rowsWhere = (isColour: (red: number, blue: number) => boolean): number[] => {
      const rows = new Set<number>();
      for (let i = 0; i < data.length; i += 3) {
        const column = (i / 3) % info.width;
        if (column < 450 && isColour(data[i]!, data[i + 2]!)) rows.add(Math.floor(i / 3 / info.width));
      }
      return [...rows].sort((a, b) => a - b);
    };
    const falling = rowsWhere((red, blue) => blue - red > 60);
    const flat = rowsWhere((red, blue) => red - blue > 60);
    expect(falling.at(-1)! - falling[0]!).toBeGreaterThan(240); // from top to bottom
    expect(flat.at(-1)! - flat[0]!).toBeLessThan(4);
    expect(flat[0]).toBeGreaterThan(150);
    expect(flat[0]).toBeLessThan(190); // the logarithmic middle
  });

  it("escapes what titles and names contain, and names its series", () => {
    const svg = chartsToSvg([chart(), chart({ title: "Second" })]);
    expect(svg).toContain("<title>Loss &lt;&amp;&gt; rate; Second</title>");
    expect(svg).toContain(">falling</text>");
    expect(svg).toContain('viewBox="0 0 1120 360"');
  });

  it("of nothing that can be shown says so", async () => {
    const svg = chartsToSvg([withPoints([[1, Number.NaN]])]);
    expect(svg).toContain("nothing to show");
    expect((await sharp(Buffer.from(svg)).metadata()).width).toBe(560);
  });
});

describe("a terminal plot", () => {
  it("shows falling lines falling, a letter for each series, * where they meet, and the ends of x", () => {
    const lines = plotInTerminal(chart()).split("\n");
    const rows = lines.slice(1, 17).map((line) => line.slice(line.indexOf("|") + 1));
    expect(lines[0]).toBe("Loss <&> rate (loss, logarithmic)");
    expect(rows[0]!.indexOf("a")).toBeLessThan(8);
    expect(rows[15]!.lastIndexOf("a")).toBeGreaterThan(55);
    expect(rows.filter((row) => row.includes("b"))).toHaveLength(1);
    expect(rows.filter((row) => row.includes("*")).length).toBeGreaterThan(0);
    expect(lines[18]).toMatch(/^ +0 +100$/);
    expect(lines[19]).toMatch(/step; a falling, b flat$/);
  });

  it("of nothing that can be shown says so", () => {
    expect(plotInTerminal(withPoints([]))).toBe("Loss <&> rate: nothing to show");
  });
});
