/** How long the functions live that gradient graphs hold for their recomputations. */
import { afterAll, expect, it } from "vitest";
import { compileTorch } from "./compiled-torch.js";

const torch = compileTorch();
afterAll(torch.remove);

const recorded = `
const x = torch.tensor([2]);
x.requiresGrad = true;
const recorded = (body = torch.square) => torch.recompute((a) => body(a), [x], []);`;

it("a function is collected when its graph is freed, and not before", async () => {
  const printed = await torch.run(
    `${recorded}
    const collect = async () => {
      for (let i = 0; i < 20; i++) {
        globalThis.gc();
        await new Promise((done) => setTimeout(done, 5));
      }
    };
    const make = () => {
      const big = { values: new Float64Array(1000), square: torch.square };
      return [recorded((a) => big.square(a)), new WeakRef(big)];
    };
    const [[kept, first], [freed, second]] = [make(), make()];
    freed.dispose();
    await collect();
    const alive = [first, second].map((reference) => reference.deref() !== undefined);
    const [gradient] = torch.grad(kept, [x]);
    console.log(JSON.stringify([alive, gradient.item()]));`,
    "--expose-gc",
  );
  expect(JSON.parse(printed)).toEqual([[true, false], 4]);
});

it("ten thousand steps leave as many tensors and no more memory", async () => {
  const printed = await torch.run(
    `${recorded}
    const step = () =>
      torch.scope(() => {
        torch.backward(torch.sum(recorded()));
        x.grad = undefined;
      });
    const megabytes = () => {
      globalThis.gc();
      return process.memoryUsage.rss() / 2 ** 20;
    };
    for (let i = 0; i < 2000; i++) step();
    const before = [torch.numLiveTensors(), megabytes()];
    for (let i = 0; i < 10000; i++) step();
    console.log(JSON.stringify([before, [torch.numLiveTensors(), megabytes()]]));`,
    "--expose-gc",
  );
  const [before, after] = JSON.parse(printed) as [[number, number], [number, number]];
  expect([before[0], after[0]]).toEqual([1, 1]);
  expect(after[1] - before[1]).toBeLessThan(16);
});

it("processes and threads may end while graphs are alive", async () => {
  const worker = torch.script("worker", `${recorded}\nglobalThis.kept = [recorded(), recorded()];`);
  const printed = await torch.run(
    `${recorded}
    import { Worker } from "node:worker_threads";
    import { once } from "node:events";
    globalThis.kept = recorded();
    const codes = [];
    for (let i = 0; i < 3; i++) {
      const [code] = await once(new Worker(${JSON.stringify(worker)}), "exit");
      codes.push(code);
    }
    console.log(JSON.stringify([codes, torch.grad(kept, [x])[0].item()]));`,
  );
  expect(JSON.parse(printed)).toEqual([[0, 0, 0], 4]);
});
