import { expect, it } from "vitest";
import { BoundedCache } from "./bounded-cache.js";

it("the entry not used for longest goes first, and is disposed of", () => {
  const gone: string[] = [];
  const cache = new BoundedCache<string>(2, (value) => gone.push(value));
  cache.set("a", "A");
  cache.set("b", "B");
  expect(cache.get("a")).toBe("A");
  cache.set("c", "C");
  expect([cache.get("a"), cache.get("b"), cache.get("c"), gone]).toEqual(["A", undefined, "C", ["B"]]);
  cache.clear();
  expect(gone).toEqual(["B", "A", "C"]);
});

it("entries are weighed, and one that is too heavy is kept alone", () => {
  const cache = new BoundedCache<string>(10);
  cache.set("a", "A", 4);
  cache.set("b", "B", 6);
  cache.set("c", "C", 5);
  expect([cache.get("a"), cache.get("b"), cache.get("c")]).toEqual([undefined, undefined, "C"]);
  cache.set("d", "D", 100);
  expect([cache.get("c"), cache.get("d")]).toEqual([undefined, "D"]);
  cache.set("d", "small", 1);
  cache.set("e", "E", 9);
  expect([cache.get("d"), cache.get("e")]).toEqual(["small", "E"]);
});

it("an entry asked for twice at once is loaded once, and a failed load is tried again", async () => {
  const cache = new BoundedCache<number>(10);
  let numLoads = 0;
  const load = async () => {
    numLoads++;
    await new Promise((resolve) => setTimeout(resolve, 5));
    if (numLoads === 1) throw new Error("first");
    return numLoads;
  };
  const failures = await Promise.allSettled([cache.load("a", load), cache.load("a", load)]);
  expect([failures.map(({ status }) => status), numLoads]).toEqual([["rejected", "rejected"], 1]);
  expect(await Promise.all([cache.load("a", load), cache.load("a", load)])).toEqual([2, 2]);
  expect(await cache.load("a", load)).toBe(2);
});
