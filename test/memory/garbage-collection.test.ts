import { afterAll, expect, it } from "vitest";
import { compileTorch } from "./compiled-torch.js";

const torch = compileTorch();
afterAll(torch.remove);

const collect = `
const collected = async () => {
  for (let i = 0; i < 20; i++) {
    globalThis.gc();
    await new Promise((done) => setTimeout(done, 10));
  }
  return torch.numLiveTensors();
};`;

it("tensors that their owner forgot are freed by the garbage collector, those it holds are not", async () => {
  const printed = await torch.run(
    `${collect}
    const held = torch.ones([1]);
    for (let i = 0; i < 500; i++) torch.ones([1000]);
    torch.scope(() => torch.scope(() => torch.ones([1]))); // handed out of scopes, then forgotten
    torch.keep(torch.ones([1]));
    const before = torch.numLiveTensors();
    const after = await collected();
    console.log(JSON.stringify({ before, after, held: held.item() }));`,
    "--expose-gc",
  );
  expect(JSON.parse(printed)).toEqual({ before: 503, after: 1, held: 1 });
});

it("a tensor that was disposed is not freed a second time when it is collected", async () => {
  const printed = await torch.run(
    `${collect}
    const reused = [];
    for (let i = 0; i < 500; i++) {
      torch.ones([1]).dispose();
      torch.scope(() => torch.ones([1]));
    }
    for (let i = 0; i < 50; i++) reused.push(torch.full([1], i)); // in the slots that were freed
    const live = await collected();
    console.log(JSON.stringify([live, reused.every((x, i) => x.item() === i)]));`,
    "--expose-gc",
  );
  expect(JSON.parse(printed)).toEqual([50, true]);
});

it("forgotten generators are freed, and their numbers already drawn stay", async () => {
  const printed = await torch.run(
    `${collect}
    const draw = () => torch.normal_(torch.empty([3]), 0, 1, new torch.Generator(1));
    const x = draw();
    for (let i = 0; i < 200; i++) draw().dispose();
    await collected();
    console.log(String(x.toNumbers()) === String(draw().toNumbers()));`,
    "--expose-gc",
  );
  expect(printed).toBe("true");
});

it("memory does not grow over thousands of operations, errors included", async () => {
  const printed = await torch.run(
    `
    const round = () => {
      for (let i = 0; i < 2000; i++) {
        torch.scope(() => {
          const x = torch.ones([64, 64]);
          x.requiresGrad = true;
          torch.grad(torch.sum(torch.matmul(x, x)), [x]);
          try { torch.matmul(x, torch.ones([3])); } catch {}
          try { torch.cat([x, null]); } catch {}
          x.toHost();
        });
      }
    };
    const rss = () => { globalThis.gc(); return process.memoryUsage().rss / 2 ** 20; };
    round();
    const before = rss();
    for (let i = 0; i < 3; i++) round();
    console.log(JSON.stringify({ growth: rss() - before, live: torch.numLiveTensors() }));`,
    "--expose-gc",
  );
  const { growth, live } = JSON.parse(printed) as { growth: number; live: number };
  expect(live).toBe(0);
  expect(growth).toBeLessThan(30); // MB; one leaked 64 x 64 tensor per operation would be 94 MB and more
});
