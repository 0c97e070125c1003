import { it } from "vitest";
import { rmSync } from "node:fs";
import { DatasetWriter } from "/work/main/src/data/writer/index.js";
import { LeRobotDataset } from "/work/main/src/data/index.js";
process.env.SVT_LOG = "0";
for (const s of [16, 64, 96, 224]) it(`try ${s}`, async () => {
  const root = `/tmp/writer/out${s}`; rmSync(root, { recursive: true, force: true });
  const n = 100;
  const frames = Array.from({ length: n }, (_, f) => { const d = new Uint8Array(3*s*s); for (let y=0,i=0;y<s;y++) for (let x=0;x<s;x++) for (let c=0;c<3;c++,i++) d[i] = 127+60*Math.sin((x+f*2)/9+c)+60*Math.cos(y/7) + ((i*2654435761+f*97)>>>13)%8; return d; });
  await using w = await DatasetWriter.create({ root, fps: 10, features: { "observation.state": { dtype: "float32", shape: [2] }, action: { dtype: "float32", shape: [2] }, "observation.images.top": { dtype: "video", shape: [s, s, 3] } } });
  for (let e = 0; e < 3; e++) {
    const t0 = performance.now();
    for (let i = 0; i < n; i++) await w.addFrame({ task: "a", arrays: { "observation.state": [i, -i], action: [i, e], "observation.images.top": { dtype: "uint8", shape: [s, s, 3], data: frames[i]! } } });
    const t1 = performance.now();
    await w.saveEpisode();
    console.log(s, "add", (n / (t1 - t0) * 1000).toFixed(0), "fps; with save", (n / (performance.now() - t0) * 1000).toFixed(0));
  }
  await w.finish();
  await using d = await LeRobotDataset.open({ root });
  let worst = 0, sum = 0, count = 0;
  for (let i = 0; i < d.numFrames; i += 7) { const { arrays } = await d.item(i); const im = arrays["observation.images.top"]!.data as Uint8Array; const src = frames[i % n]!; for (let p = 0; p < s*s; p++) for (let c=0;c<3;c++) { const e = Math.abs(im[c*s*s+p]! - src[3*p+c]!); worst = Math.max(worst, e); sum += e; count++; } }
  console.log(s, "worst", worst, "mean", sum / count);
});
