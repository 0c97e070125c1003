import { existsSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import { type Provenance, readProvenance } from "../../policy/provenance.js";
import { WEIGHTS_FILE } from "../../smolvla/load.js";
import { weightsHash } from "../../train/run-provenance.js";
import { type Check, fault, ok, skipped, warning } from "../check.js";

/** Rounds after which published flows have become worse, not better. */
const MANY_ROUNDS = 4;

export const lineage: Check = {
  id: "lineage",
  title: "The student was made from this teacher",
  needs: ["student"],
  after: ["teacher-files", "student-files"],
  run: async ({ teacher, student }) => {
    if ((await realpath(student!.folder)) === (await realpath(teacher.folder))) {
      return fault(
        "teacher and student are the same folder",
        "Nothing can be learnt from comparing a policy with itself. Give the student's own folder, and its teacher's",
      );
    }
    const { provenance } = student!;
    if (provenance?.teacher === undefined) {
      return skipped("the student has no reflow.json that names a teacher: made by another program");
    }
    if (teacher.report === undefined)
      return skipped("the teacher is an adapter, whose weights are those of two policies");
    const [told, found] = [provenance.teacher.weightsSha256, await teacher.weightsSha256()];
    const between = await policiesBetween(provenance, found);
    if (between === undefined) {
      return fault(
        `the student's teacher had weights ${told.slice(0, 12)}, this one's are ${found.slice(0, 12)}`,
        `Give the teacher that it had (${provenance.teacher.path}). A teacher that changes while its student learns, such as the ` +
          "student itself, teaches it its own errors: freeze it",
      );
    }
    if (between.length > 0)
      return ok(`of the teacher with weights ${found.slice(0, 12)}, by way of ${between.join(", ")}`);
    const { k } = provenance;
    const expected = (teacher.provenance?.k ?? 1) + (provenance.distilled === true ? 0 : 1);
    if (k !== undefined && k !== expected) {
      return fault(
        `reflow.json says k ${k}, which of this teacher is ${expected}`,
        "Restore the student's own reflow.json",
      );
    }
    const made = `k ${k ?? "not recorded"}, of the teacher with weights ${found.slice(0, 12)}`;
    return (k ?? 0) >= MANY_ROUNDS
      ? warning(
          made,
          "Variety and accuracy shrink with every round, and most is gained by the first. Compare with the first teacher",
        )
      : ok(made);
  },
};

/**
 * The policies of the rounds between a student and an earlier teacher, as far as they are where they were: none for its own
 * teacher, undefined if it does not descend from that one.
 */
async function policiesBetween(student: Provenance, weightsSha256: string): Promise<readonly string[] | undefined> {
  const between: string[] = [];
  for (let { teacher } = student; teacher !== undefined; ) {
    if (teacher.weightsSha256 === weightsSha256) return between;
    const { path } = teacher;
    if (between.includes(path) || !existsSync(join(path, WEIGHTS_FILE))) return undefined;
    if ((await weightsHash(path)) !== teacher.weightsSha256) return undefined;
    between.push(path);
    teacher = (await readProvenance(path))?.teacher;
  }
  return undefined;
}
