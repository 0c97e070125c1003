/** A policy folder on its way to the Hub: what is uploaded, under which name, with which card. */
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type MockHub, startMockHub } from "../../src/hub/upload/testing/mock-hub.js";
import { CONVENTIONS, writeProvenance } from "../../src/policy/provenance.js";
import { type PushRequest, pushPolicy } from "../../src/policy/push-policy.js";
import { FIXTURE } from "../parity/fixture.js";

let hub: MockHub;
let folder: string;

beforeEach(async () => {
  hub = await startMockHub();
  folder = mkdtempSync(join(tmpdir(), "push-"));
  cpSync(`${FIXTURE}/teacher`, folder, { recursive: true });
  setConfig({ repo_id: "me/student" });
});
afterEach(async () => {
  await hub.close();
  rmSync(folder, { recursive: true });
});

function setConfig(fields: object): void {
  const path = join(folder, "config.json");
  writeFileSync(path, JSON.stringify({ ...JSON.parse(readFileSync(path, "utf8")), ...fields }));
}

const push = (given: Partial<PushRequest> = {}) =>
  pushPolicy({ folder, settings: { endpoint: hub.url, token: hub.token, isOffline: false }, ...given });

const uploaded = (repoId = "me/student") => hub.repositories.get(repoId)!;

describe("pushPolicy", () => {
  it("uploads what LeRobot uploads, byte for byte, with a card", async () => {
    writeFileSync(join(folder, "run.log"), "not wanted");
    const names = readdirSync(folder).filter((name) => /\.(safetensors|json)$/.test(name));
    const { url } = await push();
    expect(url).toBe(`${hub.url}/me/student`);
    const { files } = uploaded();
    expect([...files.keys()].sort()).toEqual(["README.md", ...names].sort());
    for (const name of names)
      expect([name, files.get(name)!.content.equals(readFileSync(join(folder, name)))]).toEqual([name, true]);
    expect(files.get("model.safetensors")!.isLarge).toBe(true);
  });

  it("takes name, privacy, license and tags from config.json, and origin from reflow.json", async () => {
    setConfig({ private: true, license: "mit", tags: ["so100"] });
    await writeProvenance(folder, {
      format: 1,
      k: 2,
      objective: "reflow",
      step: 7,
      conventions: CONVENTIONS,
      teacher: { path: "outputs/teacher", weightsSha256: "abc" },
      statisticsSha256: "def",
      resourceFolders: [],
    });
    await push({ card: { dataset: { repoId: "me/cubes" } } });
    expect(uploaded().isPrivate).toBe(true);
    const card = uploaded().files.get("README.md")!.content.toString();
    for (const part of [
      "license: mit\n",
      "  - so100\n",
      "datasets: me/cubes\n",
      "| teacher | outputs/teacher |",
      "me/student",
    ]) {
      expect(card).toContain(part);
    }
    expect(uploaded().files.has("reflow.json")).toBe(true);
  });

  it("leaves the folder as it is, and a card that it holds too", async () => {
    const before = readdirSync(folder);
    await push();
    expect(readdirSync(folder)).toEqual(before);
    writeFileSync(join(folder, "README.md"), "my own");
    await push();
    expect(uploaded().files.get("README.md")!.content.toString()).toBe("my own");
  });

  it("uploads under another name if one is given", async () => {
    await push({ repoId: "me/other" });
    expect([...hub.repositories.keys()]).toEqual(["me/other"]);
  });

  it("needs a name", async () => {
    setConfig({ repo_id: null });
    await expect(push()).rejects.toThrow(
      /config\.json at repo_id: expected the Hub id to upload to, got nothing\. Set policy/,
    );
    expect(hub.requests).toEqual([]);
  });

  it("needs a policy", async () => {
    rmSync(join(folder, "config.json"));
    await expect(push()).rejects.toThrow(/config\.json: file not found/);
  });
});
