import { it } from "vitest";
import { sampleTime, timeLawByName, withAtoms } from "../../src/flow/index.js";
import { loadTeacher } from "../parity/fixture.js";
import { openTeacherProbe, trainStudent } from "../runs/defect-run.js";
import { atAllTimes, contracted, couplingOf, pairsOf } from "./trained-faults.js";

it("x", async () => {
  const teacher = await loadTeacher();
  const probe = await openTeacherProbe(teacher);
  const show = (n: string, m: any) =>
    console.log(
      n,
      [1, 5, 10]
        .map(
          (k) =>
            `${k}: ${m["relative_error_" + k].toFixed(3)}/${m["noise_explained_" + k].toFixed(2)}/${m["spread_ratio_" + k].toFixed(2)}`,
        )
        .join("  "),
    );
  show("teacher", probe.measure());
  const uni = { times: (n: number, g: any) => sampleTime(withAtoms(timeLawByName("uniform"), [1], 0), n, g) };
  for (const [n, steps, lr, kept, times] of [
    ["a", 100, 5e-4, -1, atAllTimes],
    ["b", 100, 5e-4, -2, atAllTimes],
    ["c", 100, 3e-4, -2, atAllTimes],
    ["d", 60, 5e-4, -4, atAllTimes],
  ] as const) {
    const t0 = performance.now();
    const s = await trainStudent(teacher, contracted(teacher, kept), steps, lr, times);
    show(`${n} ${steps} ${lr} ${kept} ${Math.round(performance.now() - t0)}`, probe.measure(s.student));
  }
}, 300000);
