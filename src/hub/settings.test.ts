import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readHubSettings } from "./settings.js";

describe("readHubSettings", () => {
  it("finds the cache where Hugging Face's tools find it", () => {
    const cacheFolder = (environment: Record<string, string>) => readHubSettings(environment).cacheFolder;
    expect(cacheFolder({})).toBe(join(homedir(), ".cache/huggingface/hub"));
    expect(cacheFolder({ XDG_CACHE_HOME: "/xdg" })).toBe("/xdg/huggingface/hub");
    expect(cacheFolder({ XDG_CACHE_HOME: "/xdg", HF_HOME: "~/hf" })).toBe(join(homedir(), "hf/hub"));
    expect(cacheFolder({ HF_HOME: "/hf", HUGGINGFACE_HUB_CACHE: "/old" })).toBe("/old");
    expect(cacheFolder({ HUGGINGFACE_HUB_CACHE: "/old", HF_HUB_CACHE: "/cache" })).toBe("/cache");
    expect(cacheFolder({ HF_HOME: "/hf", HF_HUB_CACHE: "" })).toBe("/hf/hub");
  });

  it("finds the datasets that LeRobot recorded where LeRobot finds them", () => {
    expect(readHubSettings({}).lerobotFolder).toBe(join(homedir(), ".cache/huggingface/lerobot"));
    expect(readHubSettings({ HF_HOME: "/hf" }).lerobotFolder).toBe("/hf/lerobot");
    expect(readHubSettings({ HF_HOME: "/hf", HF_LEROBOT_HOME: "~/data" }).lerobotFolder).toBe(join(homedir(), "data"));
  });

  it("takes the token from the environment, else from the saved file", () => {
    const home = mkdtempSync(join(tmpdir(), "hub-home-"));
    expect(readHubSettings({ HF_HOME: home }).token).toBeUndefined();
    writeFileSync(join(home, "token"), "hf_saved\n");
    expect(readHubSettings({ HF_HOME: home }).token).toBe("hf_saved");
    expect(readHubSettings({ HF_HOME: home, HF_TOKEN: " hf_given " }).token).toBe("hf_given");
    expect(readHubSettings({ HF_HOME: "/none", HF_TOKEN_PATH: join(home, "token") }).token).toBe("hf_saved");
    expect(readHubSettings({ HF_HOME: home, HF_HUB_DISABLE_IMPLICIT_TOKEN: "1" }).token).toBeUndefined();
    rmSync(home, { recursive: true });
  });

  it("knows another server and the offline switch", () => {
    expect(readHubSettings({ HF_ENDPOINT: "http://mirror/" }).endpoint).toBe("http://mirror");
    expect(readHubSettings({}).endpoint).toBeUndefined();
    const isOffline = (value: string) => readHubSettings({ HF_HUB_OFFLINE: value }).isOffline;
    expect(["1", "true", "YES", "on"].map(isOffline)).toEqual([true, true, true, true]);
    expect(["0", "", "false"].map(isOffline)).toEqual([false, false, false]);
    expect(readHubSettings({ TRANSFORMERS_OFFLINE: "1" }).isOffline).toBe(true);
  });
});
