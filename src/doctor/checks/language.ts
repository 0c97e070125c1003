import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { tokenizerStepOf } from "../../policy/processors/pipeline.js";
import { loadTokenizer } from "../../policy/tokenizer.js";
import { type Check, fault, ok, warning } from "../check.js";
import type { Patient } from "../patient.js";

type Facts = Readonly<Record<string, unknown>>;

/** What decides the tokens of a task. */
const factsOf = ({ policy }: Patient) => {
  const { preprocessor } = policy!.processors;
  const step = tokenizerStepOf(preprocessor);
  return {
    "tokenizer step": step !== undefined,
    "newline step": preprocessor.steps.some(({ kind }) => kind === "smolvla_new_line_processor"),
    max_length: step?.maxLength,
    padding_side: step?.paddingSide,
    truncation: step?.truncation,
  };
};

const vocabularyOf = async ({ policy }: Patient): Promise<string> =>
  createHash("sha256")
    .update(await readFile(join(policy!.tokenizerFolder, "tokenizer.json")))
    .digest("hex")
    .slice(0, 12);

export const language: Check = {
  id: "language",
  title: "Tasks become the same tokens for student and teacher, none is empty, and no two become the same",
  needs: ["teacher network"],
  after: ["teacher-files", "student-files", "dataset-files"],
  run: async ({ teacher, student, dataset }) => {
    const facts = factsOf(teacher);
    if (!facts["tokenizer step"] || !facts["newline step"]) {
      return fault(
        `the teacher's pre-processor has no ${facts["tokenizer step"] ? "newline" : "tokenizer"} step`,
        "SmolVLA reads its task as tokens of a text that ends in a newline. Restore the policy's own policy_preprocessor.json",
      );
    }
    const vocabulary = await vocabularyOf(teacher);
    if (student?.policy !== undefined) {
      const mine: Facts = { ...factsOf(student), vocabulary: await vocabularyOf(student) };
      const theirs: Facts = { ...facts, vocabulary };
      const differing = Object.keys(theirs).filter((name) => mine[name] !== theirs[name]);
      if (differing.length > 0) {
        const list = differing.map((name) => `${name} ${mine[name]} (the teacher's: ${theirs[name]})`);
        return fault(list.join("; "), "Give the student its teacher's policy_preprocessor.json and tokenizer");
      }
    }
    const tasks = dataset?.metadata?.tasks ?? [];
    if (tasks.some((task) => task.trim() === "")) {
      return warning(
        "the dataset has an empty task",
        "A policy that is told nothing in training ignores what it is told later",
      );
    }
    const { maxLength } = tokenizerStepOf(teacher.policy!.processors.preprocessor)!;
    const same = await tasksReadAlike(tasks, teacher);
    if (same !== undefined) {
      return warning(
        `tasks are cut at ${maxLength} tokens, after which ${same.map((task) => JSON.stringify(task)).join(" and ")} are the same`,
        "Shorten the tasks, or train with a larger tokenizer_max_length",
      );
    }
    return ok(
      `vocabulary ${vocabulary}, at most ${maxLength} tokens${tasks.length > 0 ? `, ${tasks.length} tasks` : ""}`,
    );
  },
};

/** Two tasks that the network reads as one; undefined if there are none. */
async function tasksReadAlike(tasks: readonly string[], { policy }: Patient): Promise<readonly string[] | undefined> {
  if (tasks.length < 2) return undefined;
  const { maxLength, truncation } = tokenizerStepOf(policy!.processors.preprocessor)!;
  const tokenizer = await loadTokenizer(policy!.tokenizerFolder);
  const firstTask = new Map<string, string>();
  for (const task of tasks) {
    const { ids } = tokenizer.encodeBatch([`${task}\n`], { maxLength, padding: "longest", truncation });
    const read = Array.from(ids.data as BigInt64Array).join();
    const other = firstTask.get(read);
    if (other !== undefined) return [other, task];
    firstTask.set(read, task);
  }
  return undefined;
}
