/** Runs that upload their policy, against a Hub on this machine: what arrives, and what is left if nothing does. */
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { command as pushCommand } from "../../src/cli/commands/push.js";
import { type MockHub, startMockHub } from "../../src/hub/upload/testing/mock-hub.js";
import { readProvenance } from "../../src/policy/provenance.js";
import { readRecords } from "../../src/records/read-records.js";
import { readSafetensors, sourceOf, writeSafetensors } from "../../src/support/safetensors.js";
import { runCommand } from "../commands/run-command.js";
import { policyOf } from "./stage-chain.js";
import { RUNS, resultOf, TEACHER, teacherWith, temporaryFolder, train, trainIn, tryTraining } from "./training-run.js";

let hub: MockHub;
beforeEach(async () => {
  hub = await startMockHub();
  vi.stubEnv("HF_ENDPOINT", hub.url);
  vi.stubEnv("HF_TOKEN", hub.token);
  vi.stubEnv("HF_HUB_OFFLINE", "");
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await hub.close();
});

const PUSHED = ["--policy.push_to_hub=true", "--policy.repo_id=me/mine"];
const MEASURED = [
  "--eval_freq=2",
  "--held_out.num_observations=2",
  "--held_out.num_noises=2",
  "--held_out.reference_steps=3",
];
/** One that measures itself before, within and at the end. */
const REFLOW = [...RUNS.reflow.filter((flag) => flag !== "--eval_freq=0"), ...MEASURED, "--save_freq=2", "--steps=3"];

const uploaded = (repoId = "me/mine") => new Map([...hub.repositories.get(repoId)!.files]);
const cardOf = (repoId?: string): string => uploaded(repoId).get("README.md")!.content.toString();

/** The files of a policy folder itself, without those of its folders. */
const filesOf = (folder: string): string[] =>
  readdirSync(folder, { withFileTypes: true }).flatMap((entry) => (entry.isFile() ? [entry.name] : []));

function expectUploaded(folder: string, repoId?: string): void {
  const files = uploaded(repoId);
  expect([...files.keys()].sort()).toEqual(["README.md", ...filesOf(folder)].sort());
  for (const name of filesOf(folder)) {
    expect([name, files.get(name)!.content.equals(readFileSync(join(folder, name)))]).toEqual([name, true]);
  }
}

/** Rows of the card's table of agreement: policy, steps, relative error. */
const agreementOf = (card: string): (readonly [string, string, string])[] =>
  Array.from(card.matchAll(/^\| (teacher|this policy) \| (\d+) \| ([^|]*) \|/gm), ([, name, steps, error]) => [
    name!,
    steps!,
    error!,
  ]);

/** The same from the run's records, at its first and last measurement. */
async function measuredBy(run: string): Promise<(readonly [string, string, string])[]> {
  const { records } = await readRecords(join(run, "records.jsonl"));
  const found = records.flatMap((record) => (record.event === "evaluation" ? [record] : []));
  expect([found[0]!.step, found.at(-1)!.step]).toEqual([0, 3]);
  return [["teacher", found[0]!] as const, ["this policy", found.at(-1)!] as const].flatMap(([name, { metrics }]) =>
    [1, 2, 5, 10].map((steps) => {
      const error = metrics[`eval/relative_error_${steps}`]!;
      return [name, String(steps), String(Number(error.toPrecision(3)))] as const;
    }),
  );
}

describe("policy.push_to_hub", () => {
  it("uploads the last checkpoint's policy as it is, with a card of its origin and its agreement", async () => {
    const run = temporaryFolder();
    const log = await trainIn(run, ...REFLOW, ...PUSHED);
    expect(log).toContain(`Pushed the policy to ${hub.url}/me/mine`);
    expectUploaded(policyOf(run));
    const card = cardOf();
    const { teacher } = (await readProvenance(policyOf(run)))!;
    for (const part of [
      "a 2-rectified flow",
      "| rectified flow (k) | 2 |",
      "| training steps | 3 |",
      `| teacher | ${TEACHER.replaceAll("_", "\\_")} |`,
      teacher!.weightsSha256,
      "| episodes | 9 |", // of 10, one is held out
      "| batch\\_size | 2 |",
    ]) {
      expect(card).toContain(part);
    }
    expect(agreementOf(card)).toEqual(await measuredBy(run));
  });

  it("has the whole run in the card where the run was continued", async () => {
    const run = temporaryFolder();
    await trainIn(run, ...REFLOW.filter((flag) => flag !== "--steps=3"), "--steps=2");
    await trainIn(run, "--resume=true", "--steps=3", ...PUSHED);
    expectUploaded(policyOf(run));
    expect(agreementOf(cardOf())).toEqual(await measuredBy(run));
  });

  it("does not take the first measurement of a fresh student for its teacher's", async () => {
    await train(...REFLOW, "--policy.student_init=vlm", ...PUSHED);
    expect(agreementOf(cardOf()).map(([name]) => name)).toEqual(Array(4).fill("this policy"));
  });

  it("of a first flow says which dataset it learnt from, and compares it with itself", async () => {
    const flags = RUNS["flow matching"].filter((flag) => flag !== "--eval_freq=0");
    await train(...flags, ...MEASURED, "--steps=2", "--dataset.repo_id=me/cubes", ...PUSHED);
    const card = cardOf();
    expect(card).toContain("a 1-rectified flow");
    expect(card).toContain("\ndatasets: me/cubes\n");
    expect(card).toContain("The reference is the policy itself, solved in 3 steps");
    expect(agreementOf(card).map(([name]) => name)).toEqual(Array(4).fill("this policy"));
  });

  it("is refused before anything is trained where there is no token or no name", async () => {
    vi.stubEnv("HF_TOKEN", "");
    vi.stubEnv("HUGGING_FACE_HUB_TOKEN", "");
    vi.stubEnv("HF_TOKEN_PATH", join(temporaryFolder(), "none"));
    const run = join(temporaryFolder(), "run");
    const withoutToken = await tryTraining(run, ...REFLOW, ...PUSHED);
    expect([withoutToken.code, withoutToken.err]).toEqual([
      1,
      "training config at policy.push_to_hub: expected a token of the Hub to upload with, got none. Set HF_TOKEN, log in with " +
        "the Hub's own client, or leave policy.push_to_hub=false\n",
    ]);
    const withoutName = await tryTraining(run, ...REFLOW, "--policy.push_to_hub=true");
    expect([withoutName.code, withoutName.err]).toEqual([
      1,
      "training config at policy.repo_id: expected the Hub id to upload to, got nothing. policy.push_to_hub=true needs it\n",
    ]);
    expect(readdirSync(join(run, ".."))).toEqual([]);
    expect(hub.requests).toEqual([]);
  });

  it("that the Hub refuses leaves a finished run, and says how to upload it later, which then has the same card", async () => {
    hub.faults.set("POST /api/models/me/mine/commit", { status: 403, body: "no" });
    const run = temporaryFolder();
    const { code, err } = await tryTraining(run, ...REFLOW, ...PUSHED);
    expect(code).toBe(1);
    const folder = join(run, "checkpoints/last/pretrained_model");
    expect(err).toMatch(/^upload to model "me\/mine": cannot commit: got status 403 /m);
    expect(err).toContain(
      `The run is finished and its policy saved. Upload it later: reflow push ${folder} --repo_id=me/mine\n`,
    );
    expect(err).not.toContain("End of training");
    const { records } = await readRecords(join(run, "records.jsonl"));
    expect(records.at(-1)).toMatchObject({ event: "end", reason: "completed", step: 3 });
    const plain = await train(...REFLOW);
    expect(resultOf(run).equals(resultOf(plain))).toBe(true);

    hub.faults.clear();
    const { code: later, out } = await runCommand(pushCommand, [folder, "--repo_id=me/mine"]);
    expect([later, out]).toEqual([0, `${hub.url}/me/mine\n`]);
    expectUploaded(policyOf(run));
    expect(agreementOf(cardOf())).toEqual(await measuredBy(run));
    expect(cardOf()).toContain("| batch\\_size | 2 |");
  });
});

describe("reflow push", () => {
  it("takes a run, a checkpoint or a policy folder, of this program or of LeRobot, and leaves it as it is", async () => {
    const run = await train(...REFLOW);
    const before = filesOf(policyOf(run));
    for (const [i, folder] of [run, join(run, "checkpoints/last"), policyOf(run)].entries()) {
      expect((await runCommand(pushCommand, [folder, `--repo_id=me/same-${i}`])).code).toBe(0);
      expectUploaded(policyOf(run), `me/same-${i}`);
      expect(agreementOf(cardOf(`me/same-${i}`))).toEqual(await measuredBy(run));
    }
    expect(filesOf(policyOf(run))).toEqual(before);
    expect((await runCommand(pushCommand, [TEACHER, "--repo_id=me/teacher"])).code).toBe(0);
    expectUploaded(TEACHER, "me/teacher");
    expect(agreementOf(cardOf("me/teacher"))).toEqual([]);
  });

  it("of an earlier checkpoint has the measurements up to there in the card", async () => {
    const run = await train(...REFLOW);
    expect((await runCommand(pushCommand, [join(run, "checkpoints/000002"), "--repo_id=me/early"])).code).toBe(0);
    const [early, late] = [agreementOf(cardOf("me/early")), await measuredBy(run)];
    expect(early.slice(0, 4)).toEqual(late.slice(0, 4));
    expect(early.slice(4)).not.toEqual(late.slice(4));
    expect(cardOf("me/early")).toContain("| training steps | 2 |");
  });

  it("refuses a policy whose processors lack statistics, a folder that is none, and a policy without a name", async () => {
    const spoilt = teacherWith(() => {});
    const path = join(spoilt, "policy_postprocessor_step_0_unnormalizer_processor.safetensors");
    const kept = [...(await readSafetensors(path))].filter(([name]) => !/\.(mean|std)$/.test(name));
    await writeSafetensors(path, new Map(kept.map(([name, array]) => [name, sourceOf(array)])));
    const none = temporaryFolder();
    mkdirSync(join(none, "empty"));
    const errors = await Promise.all(
      [[spoilt, "--repo_id=me/mine"], [none, "--repo_id=me/mine"], [TEACHER]].map(async (args) => {
        const { code, err } = await runCommand(pushCommand, args);
        return [code, err];
      }),
    );
    expect(errors).toEqual([
      [
        1,
        expect.stringMatching(
          /^push: the processors of the policy to upload have no statistics .*\n {2}- action\.mean /,
        ),
      ],
      [1, expect.stringMatching(/: expected a policy folder, got one without config\.json/)],
      [1, expect.stringMatching(/config\.json at repo_id: expected the Hub id to upload to, got nothing/)],
    ]);
    expect(hub.requests).toEqual([]);
  });
});
