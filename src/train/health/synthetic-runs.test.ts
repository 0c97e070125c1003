/** Rates of false and missed alarms, over many runs with known courses and random noise. */
import { describe, expect, it } from "vitest";
import type { Finding, FindingKind } from "./finding.js";
import { HealthWatch } from "./health-watch.js";
import { normals, type SyntheticRun, syntheticLosses, syntheticNorms } from "./testing/synthetic-run.js";

const WEIGHTS = { relativeUpdate: 1e-3, shareUnmoved: 0.001 };

function watchAll(losses: readonly number[], gradNorms: readonly number[]): Finding[] {
  const watch = new HealthWatch({ numSteps: losses.length, schedule: () => 1e-4 });
  return losses.flatMap((loss, i) =>
    watch.observe({
      step: i + 1,
      loss,
      gradNorm: gradNorms[i]!,
      learningRate: 1e-4,
      weights: i % 10 === 0 ? WEIGHTS : undefined,
    }),
  );
}

const SEEDS = Array.from({ length: 200 }, (_, seed) => seed);
/** For what is expected in nearly every run. */
const SOME_SEEDS = SEEDS.slice(0, 50);

/** From reflow's small gains to training from nothing, from large batches to single samples. */
const courses: readonly Omit<SyntheticRun, "seed">[] = [
  { numSteps: 600, from: 0.02, to: 0.005, noise: 0.9, correlation: 0 },
  { numSteps: 600, from: 0.02, to: 0.018, noise: 0.5, correlation: 0.2 },
  { numSteps: 600, from: 2, to: 0.05, noise: 0.15, correlation: 0 },
  { numSteps: 600, from: 2, to: 0.3, noise: 1.2, correlation: 0.1 },
];

const withCourse = (seed: number, course: Omit<SyntheticRun, "seed"> = courses[0]!) => {
  const losses = syntheticLosses({ ...course, seed });
  return { losses, gradNorms: syntheticNorms(losses, 0.4, seed + 1000) };
};

/** Share of 50 seeds in which a kind is found within some steps of where trouble begins, and none before. */
function shareDetected(
  kind: FindingKind,
  within: number,
  begins: number,
  change: (run: ReturnType<typeof withCourse>) => ReturnType<typeof withCourse>,
): number {
  const detected = SOME_SEEDS.filter((seed) => {
    const { losses, gradNorms } = change(withCourse(seed, courses[1]));
    const findings = watchAll(losses, gradNorms);
    const [first] = findings.filter((finding) => finding.kind === kind);
    return first !== undefined && first.step > begins && first.step <= begins + within;
  });
  return detected.length / SOME_SEEDS.length;
}

describe("false alarms", () => {
  it.each(courses.map((course) => [course.noise, course.from, course.to, course] as const))(
    "are rarer than one in a hundred runs: noise %f, loss from %f to %f",
    (_noise, _from, _to, course) => {
      const alarmed = SEEDS.filter((seed) => {
        const { losses, gradNorms } = withCourse(seed, course);
        return watchAll(losses, gradNorms).length > 0;
      });
      expect(alarmed.length).toBeLessThanOrEqual(2);
    },
  );

  it("are rare in a long run as well", () => {
    const alarmed = SEEDS.slice(0, 10).filter((seed) => {
      const { losses, gradNorms } = withCourse(seed, {
        numSteps: 10_000,
        from: 0.1,
        to: 0.02,
        noise: 0.9,
        correlation: 0.1,
      });
      return watchAll(losses, gradNorms).length > 0;
    });
    expect(alarmed).toEqual([]);
  });

  it("do not come from a passing bump to twice the loss, as a rising learning rate makes it", () => {
    const alarmed = SEEDS.filter((seed) => {
      const { losses, gradNorms } = withCourse(seed, courses[1]);
      const bump = (i: number): number => 1 + Math.exp(-(((i - 150) / 80) ** 2));
      return (
        watchAll(
          losses.map((loss, i) => loss * bump(i)),
          gradNorms,
        ).length > 0
      );
    });
    expect(alarmed.length).toBeLessThanOrEqual(2);
  });

  it("do not come from single odd batches", () => {
    const alarmed = SEEDS.filter((seed) => {
      const { losses, gradNorms } = withCourse(seed, courses[1]);
      const odd = (i: number): number => (i % 97 === 50 ? 100 : 1);
      const found = watchAll(
        losses.map((loss, i) => loss * odd(i)),
        gradNorms.map((norm, i) => norm * odd(i)),
      );
      return found.length > 0;
    });
    expect(alarmed.length).toBeLessThanOrEqual(2);
  });
});

describe("in at least 49 of 50 runs", () => {
  it("a loss that rises to eight times its level is found within 130 steps", () => {
    const share = shareDetected("loss-risen", 130, 300, ({ losses, gradNorms }) => ({
      losses: losses.map((loss, i) => (i < 300 ? loss : 8 * loss)),
      gradNorms,
    }));
    expect(share).toBeGreaterThanOrEqual(0.98);
  });

  it("a loss that creeps up from its best is found before it is a hundred times as large", () => {
    const share = shareDetected("loss-risen", 230, 200, ({ losses, gradNorms }) => ({
      losses: losses.map((loss, i) => loss * 100 ** (Math.max(0, i - 200) / 230)),
      gradNorms,
    }));
    expect(share).toBeGreaterThanOrEqual(0.98);
  });

  it("gradient norms that jump to a hundred times their size are found within ten steps", () => {
    const share = shareDetected("gradient-jump", 10, 300, ({ losses, gradNorms }) => ({
      losses,
      gradNorms: gradNorms.map((norm, i) => (i < 300 ? norm : 100 * norm)),
    }));
    expect(share).toBeGreaterThanOrEqual(0.98);
  });

  it("a norm ten thousand times as large as any is found at once", () => {
    const share = shareDetected("gradient-jump", 1, 300, ({ losses, gradNorms }) => ({
      losses,
      gradNorms: gradNorms.map((norm, i) => (i === 300 ? 1e5 : norm)),
    }));
    expect(share).toBeGreaterThanOrEqual(0.98);
  });

  it("growth by 15 % a step is found before float32 ends", () => {
    const share = shareDetected("overflow-ahead", 100, 300, ({ losses, gradNorms }) => ({
      losses,
      gradNorms: gradNorms.map((norm, i) => norm * 1.15 ** Math.max(0, i - 300)),
    }));
    expect(share).toBeGreaterThanOrEqual(0.98);
  });
});

describe("swings of the loss", () => {
  const flat = (seed: number, wave: (i: number) => number): Finding[] => {
    const normal = normals(seed);
    const losses = Array.from({ length: 300 }, (_, i) => 0.1 * Math.exp(wave(i) + 0.3 * normal()));
    return watchAll(losses, syntheticNorms(losses, 0.4, seed + 1000));
  };

  it.each([
    ["up and down in turn", (i: number): number => (i % 2 === 0 ? 0.7 : -0.7)],
    ["in waves of 16 steps", (i: number): number => Math.sin((2 * Math.PI * i) / 16)],
  ])("are found: %s", (_, wave) => {
    const found = SOME_SEEDS.filter((seed) => flat(seed, wave).some(({ kind }) => kind === "loss-swings"));
    expect(found.length).toBe(SOME_SEEDS.length);
  });

  it("come with their period", () => {
    const [finding] = flat(1, (i) => Math.sin((2 * Math.PI * i) / 16));
    expect(finding!.figures.period).toBeGreaterThan(12);
    expect(finding!.figures.period).toBeLessThan(20);
  });

  it("are not seen in independent noise of any size", () => {
    const found = SEEDS.filter((seed) => {
      const normal = normals(seed);
      return flat(seed, () => 1.2 * normal()).length > 0;
    });
    expect(found.length).toBeLessThanOrEqual(2);
  });
});

describe("a learning rate that is small", () => {
  const run = (loss: (i: number) => number, relativeUpdate: number): FindingKind[] => {
    const watch = new HealthWatch({ numSteps: 1000, schedule: () => 1e-7 });
    return Array.from({ length: 1000 }, (_, i) =>
      watch.observe({
        step: i + 1,
        loss: loss(i),
        gradNorm: 1,
        learningRate: 1e-7,
        weights: { relativeUpdate, shareUnmoved: 0 },
      }),
    ).flatMap((findings) => findings.map(({ kind }) => kind));
  };
  const noisy = (seed: number, level: (i: number) => number): ((i: number) => number) => {
    const normal = normals(seed);
    return (i) => level(i) * Math.exp(0.5 * normal());
  };

  it("is too small if neither weights nor loss move", () => {
    expect(
      run(
        noisy(1, () => 0.1),
        1e-6,
      ),
    ).toEqual(["standstill", "standstill"]);
  });

  it("is not if the weights move, though the loss does not", () => {
    expect(
      run(
        noisy(2, () => 0.1),
        1e-4,
      ),
    ).toEqual([]);
  });

  it("is not if the loss moves, though the weights hardly do", () => {
    expect(
      run(
        noisy(3, (i) => 0.1 * Math.exp(-Math.min(i, 400) / 130)),
        1e-6,
      ),
    ).toEqual([]);
  });
});
