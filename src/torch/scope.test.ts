import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { add, disposeAll, forEachTensor, keep, numLiveTensors, ones, scope, type Tensor, tensor } from "./index.js";

let before = 0;
beforeEach(() => {
  before = numLiveTensors();
});
/** Every test here ends with as many live tensors as it began with. */
afterEach(() => {
  expect(numLiveTensors()).toBe(before);
});

const live = (): number => numLiveTensors() - before;

describe("scope", () => {
  it("frees all but the result", () => {
    const sum = scope(() => add(ones([1]), ones([1])));
    expect(live()).toBe(1);
    expect(sum.item()).toBe(2);
    sum.dispose();
  });

  it.each<[string, () => unknown, number]>([
    ["arrays", () => [ones([1]), [ones([1])]], 2],
    ["maps", () => new Map([["a", ones([1])]]), 1],
    ["plain objects", () => ({ a: ones([1]), b: { c: [ones([1])], d: 3, e: null }, f: "text" }), 2],
    ["objects without a prototype", () => Object.assign(Object.create(null), { a: ones([1]) }), 1],
    ["the same tensor twice", () => ((x) => [x, x])(ones([1])), 1],
    ["nothing", () => undefined, 0],
    ["numbers", () => ones([1]).item(), 0],
  ])("keeps what is in %s", (_, make, count) => {
    const result = scope(() => {
      ones([1]);
      return make();
    });
    expect(live()).toBe(count);
    forEachTensor(result, (x) => expect(x.item()).toBe(1));
    disposeAll(result);
  });

  it("frees what an object of a class hides, because it does not look into those", () => {
    class Box {
      constructor(readonly inside: Tensor) {}
    }
    expect(scope(() => new Box(ones([1]))).inside.isDisposed).toBe(true);
  });

  it("hands its result to the scope around it", () => {
    const inner = scope(() => {
      const x = scope(() => ones([1]));
      expect(x.isDisposed).toBe(false);
      expect(live()).toBe(1);
      return [x];
    });
    expect(inner[0]!.isDisposed).toBe(false);
    scope(() => {
      scope(() => ones([1]));
      expect(live()).toBe(2);
    });
    expect(live()).toBe(1);
    disposeAll(inner);
  });

  it("does not touch tensors of before", () => {
    const x = ones([1]);
    scope(() => [x, add(x, x)][1]!).dispose();
    expect(x.isDisposed).toBe(false);
    x.dispose();
  });

  it("frees everything on an error, at every level, and passes the error on", () => {
    const failure = new Error("mine");
    expect(() =>
      scope(() => {
        ones([1]);
        scope(() => {
          ones([1]);
          throw failure;
        });
      }),
    ).toThrow(failure);
    expect(live()).toBe(0);
  });

  it("refuses functions that return promises, and frees what they made", async () => {
    let made: Tensor | undefined;
    expect(() =>
      scope(async () => {
        made = ones([1]);
        await Promise.reject(new Error("never seen"));
      }),
    ).toThrow(new TypeError("torch.scope: expected a synchronous function, got one that returns a promise"));
    expect(made?.isDisposed).toBe(true);
    await new Promise(setImmediate); // an unhandled rejection would fail the test run here
  });

  it("returns the live count to its start whatever is nested, kept, disposed or thrown", () => {
    type Action = "make" | "keep" | "dispose" | "throw" | "return" | Action[];
    const { action } = fc.letrec<{ action: Action }>((tie) => ({
      action: fc.oneof(
        { depthSize: "small" },
        fc.constantFrom<Action>("make", "make", "keep", "dispose", "throw", "return"),
        fc.array(tie("action"), { maxLength: 6 }),
      ),
    }));
    const kept: Tensor[] = [];
    const play = (actions: Action[]): Tensor[] =>
      scope(() => {
        const made: Tensor[] = [];
        for (const step of actions) {
          if (Array.isArray(step)) {
            try {
              made.push(...play(step));
            } catch {
              // thrown on purpose below
            }
          } else if (step === "throw") throw new Error("on purpose");
          else if (step === "return") return made;
          else if (step === "keep") kept.push(keep(ones([1])));
          else if (step === "dispose") made.at(-1)?.dispose();
          else made.push(ones([1]));
        }
        return made.slice(0, 1);
      });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 8 }), (actions) => {
        let result: Tensor[] = [];
        try {
          result = play(actions);
        } catch {
          // thrown on purpose above
        }
        expect(live()).toBe(new Set([...result, ...kept].filter((x) => !x.isDisposed)).size);
        for (const x of kept) expect(x.isDisposed).toBe(false);
        disposeAll([result, kept.splice(0)]);
        expect(live()).toBe(0);
      }),
      { numRuns: 300 },
    );
  });
});

describe("keep", () => {
  it("lets tensors outlive every open scope", () => {
    let kept: { x: Tensor } | undefined;
    scope(() => {
      scope(() => {
        kept = keep({ x: ones([1]) });
        ones([1]);
      });
      expect(live()).toBe(1);
    });
    expect(kept?.x.item()).toBe(1);
    disposeAll(kept);
  });

  it("keeps even when the scope fails", () => {
    let kept: Tensor | undefined;
    expect(() =>
      scope(() => {
        kept = keep(ones([1]));
        throw new Error("mine");
      }),
    ).toThrow("mine");
    expect(kept?.isDisposed).toBe(false);
    kept?.dispose();
  });
});

describe("dispose", () => {
  it("twice is harmless, also after a scope did it", () => {
    const x = ones([1]);
    x.dispose();
    x.dispose();
    let y: Tensor | undefined;
    scope(() => {
      y = ones([1]);
      y.dispose();
    });
    y?.dispose();
    expect(live()).toBe(0);
  });

  it("leaves views of the same memory alive", () => {
    const x = tensor([1, 2]);
    const y = scope(() => add(x, x));
    x.dispose();
    expect(y.toNumbers()).toEqual([2, 4]);
    expect(() => x.shape.length === 0 || x.handle).toThrow("expected a live tensor, got a disposed one");
    y.dispose();
  });

  it("is what `using` does at the end of a block, also on errors", () => {
    expect(() => {
      using _x = ones([1]);
      expect(live()).toBe(1);
      throw new Error("mine");
    }).toThrow("mine");
    expect(live()).toBe(0);
  });
});
