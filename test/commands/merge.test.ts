import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { command as mergeCommand } from "../../src/cli/commands/merge.js";
import { command as predictCommand } from "../../src/cli/commands/predict.js";
import { readSafetensors } from "../../src/support/safetensors.js";
import { FIXTURE, largestDifference } from "../parity/fixture.js";
import { largestRelativeDistance, policyOf, policyWeights } from "../runs/run-results.js";
import { changedCopy, changedNames, RUNS, TEACHER, temporaryFolder, train, trainIn, weightsOf } from "../runs/training-run.js";
import { type Output, runCommand } from "./run-command.js";

const merge = (adapter: string, output: string): Promise<Output> => runCommand(mergeCommand, [adapter, `--output=${output}`]);
