import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { expect, it } from "vitest";
import { declaredSchemas } from "../../src/torch/index.js";

/** Operators beyond the declared ones: every kind of argument and result that a schema of libtorch can have. */
const OTHERS = [
  "aten::addmm",
  "aten::bmm",
  "aten::argmax",
  "aten::topk",
  "aten::sort",
  "aten::max.dim",
  "aten::var_mean.correction",
  "aten::nonzero",
  "aten::gather",
  "aten::scatter.src",
  "aten::index.Tensor",
  "aten::index_put_",
  "aten::masked_select",
  "aten::take",
  "aten::flip",
  "aten::roll",
  "aten::tril",
  "aten::unbind.int",
  "aten::chunk",
  "aten::tensor_split.sections",
  "aten::meshgrid",
  "aten::einsum",
  "aten::equal",
  "aten::item",
  "aten::_local_scalar_dense",
  "aten::as_strided",
  "aten::conv1d",
  "aten::max_pool2d",
  "aten::native_layer_norm",
  "aten::upsample_nearest2d",
  "aten::cross_entropy_loss",
  "aten::cdist",
  "aten::linalg_svd",
  "aten::multinomial",
  "aten::bernoulli",
  "aten::randperm",
  "aten::randn",
  "aten::scalar_tensor",
  "aten::result_type.Tensor",
  "aten::size.int",
  "aten::stride.int",
  "aten::is_floating_point",
  "aten::__and__.Tensor",
  "aten::complex",
  "aten::to_sparse",
];

const folder = join(import.meta.dirname, "../..");

it.each([1, 2, 3])("the bridge answers whatever it is called with by a value or an error (seed %d)", async (seed) => {
  const { addon } = JSON.parse(readFileSync(join(folder, "build", "bridge.json"), "utf8")) as { addon: string };
  const scratch = mkdtempSync(join(tmpdir(), "bridge-fuzz-"));
  const log = join(scratch, "calls");
  const names = [...declaredSchemas().map((schema) => schema.split("(")[0]!), ...OTHERS];
  const args = [join(import.meta.dirname, "call-at-random.mjs"), addon, log, String(seed), "15000", ...names];
  try {
    // With limited memory, so that a size at random that memory could just hold is an error too.
    const limited = ["-c", 'ulimit -d 4000000; exec "$@"', "sh", process.execPath, ...args];
    const { stdout } = await promisify(execFile)("sh", limited, {
      maxBuffer: 2 ** 26,
      env: { ...process.env, OMP_NUM_THREADS: "1" },
    });
    const { values, errors } = JSON.parse(stdout.trim().split("\n").at(-1)!) as { values: number; errors: number };
    expect(values).toBeGreaterThan(1000);
    expect(errors).toBeGreaterThan(1000);
  } catch (error) {
    const last = readFileSync(log, "utf8").trim().split("\n").at(-1);
    const { stderr } = error as { stderr?: string };
    throw new Error(`the process ended at: ${last}\n${stderr ?? error}`);
  } finally {
    rmSync(scratch, { recursive: true });
  }
});
