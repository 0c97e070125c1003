import { expect, it } from "vitest";
import { progressLines } from "./progress-lines.js";

function lines() {
  const written: string[] = [];
  let ms = 5000;
  const show = progressLines({ writeLine: (line) => void written.push(line), now: () => ms });
  const at = (seconds: number, share: number | undefined): void => {
    ms = 5000 + 1000 * seconds;
    show(`at ${seconds}`, share);
  };
  return { written, at };
}

it("says how long the rest takes at the pace so far, every two seconds and at the end", () => {
  const { written, at } = lines();
  at(0, 0);
  at(1, 0.01);
  at(30, 0.25);
  at(31.9, 0.3);
  at(32, 0.4);
  at(80, 1);
  expect(written).toEqual(["at 0", "at 30, about 1m 30s left", "at 32, about 48s left", "at 80"]);
});

it("counts from where it began, and says nothing of the time before there is a pace", () => {
  const { written, at } = lines();
  at(0, undefined);
  at(10, 0.5);
  at(20, 0.5);
  at(30, 0.75);
  expect(written).toEqual(["at 0", "at 10", "at 20", "at 30, about 20s left"]);
});
