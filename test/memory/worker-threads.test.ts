import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { afterAll, describe, expect, it } from "vitest";
import { matmul, numLiveTensors, ones, scope, square, sum, tensor } from "../../src/torch/index.js";
import { compileTorch } from "./compiled-torch.js";

const compiled = compileTorch();
afterAll(compiled.remove);

/** Starts a worker whose script answers each message with the value of an expression in `torch` and `held`. */
function start(): { ask: (expression: string) => Promise<unknown>; stop: () => Promise<number> } {
  const worker = new Worker(
    compiled.script(
      "worker",
      `import { parentPort } from "node:worker_threads";
       const held = [];
       parentPort.on("message", (expression) => {
         try {
           parentPort.postMessage({ value: new Function("torch", "held", "return " + expression)(torch, held) });
         } catch (error) {
           parentPort.postMessage({ error: error.message });
         }
       });`,
    ),
  );
  return {
    ask: async (expression) => {
      worker.postMessage(expression);
      const [{ value, error }] = await once(worker, "message");
      if (error !== undefined) throw new Error(error);
      return value;
    },
    stop: () => worker.terminate(),
  };
}

describe("worker threads", () => {
  it("compute with the bridge, and count their own tensors only", async () => {
    const x = tensor([1, 2]);
    const before = numLiveTensors();
    const worker = start();
    expect(await worker.ask("torch.numLiveTensors()")).toBe(0);
    expect(await worker.ask("held.push(torch.ones([2, 3])), torch.scope(() => torch.sum(held[0]).item())")).toBe(6);
    expect(await worker.ask("torch.numLiveTensors()")).toBe(1);
    expect(numLiveTensors()).toBeLessThanOrEqual(before); // fewer if the garbage collector ran meanwhile
    await worker.stop();
    expect(x.toNumbers()).toEqual([1, 2]);
  });

  it("cannot use the numbers of another thread's tensors", async () => {
    using x = ones([1]);
    const worker = start();
    await expect(worker.ask(`new torch.Tensor(${x.handle + 1}).shape`)).rejects.toThrow("disposed or never made");
    await worker.stop();
  });

  it("switch recording for themselves only", async () => {
    const worker = start();
    expect(await worker.ask("torch.numLiveTensors()")).toBe(0); // it runs
    worker.ask("torch.noGrad(() => { for (;;); })").catch(() => {});
    await new Promise((done) => setTimeout(done, 100));
    const x = ones([1]);
    x.requiresGrad = true;
    expect(scope(() => square(x).requiresGrad)).toBe(true);
    await worker.stop();
  });

  it("may end, with tensors alive and in the middle of their work, without harm to the others", async () => {
    const x = tensor([1, 2, 3, 4], [2, 2]);
    const before = numLiveTensors();
    for (let i = 0; i < 4; i++) {
      const worker = start();
      await worker.ask("held.push(...Array.from({ length: 100 }, () => torch.ones([100])), new torch.Generator(1))");
      if (i % 2 === 0)
        worker.ask("torch.inference(() => { for (;;) torch.scope(() => torch.ones([10])); })").catch(() => {});
      await worker.stop();
      expect(scope(() => sum(matmul(x, x)).item())).toBe(54);
    }
    expect(numLiveTensors()).toBeLessThanOrEqual(before); // fewer if the garbage collector ran meanwhile
  });

  it("draw the same numbers from the same seed on every thread", async () => {
    const workers = [start(), start()];
    const draw = "torch.normal_(torch.empty([4]), 0, 1, new torch.Generator(5)).toNumbers()";
    const [a, b] = await Promise.all(workers.map((worker) => worker.ask(draw)));
    expect(a).toEqual(b);
    await Promise.all(workers.map((worker) => worker.stop()));
  });
});
