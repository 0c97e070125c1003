import type { CommandEntry } from "./command.js";

/** Every command, in the order of the help; its module is loaded when it is asked for. */
export const COMMANDS: readonly CommandEntry[] = [
  { name: "train", load: async () => (await import("./commands/train.js")).command },
  { name: "pipeline", load: async () => (await import("./commands/pipeline.js")).command },
  { name: "lr-sweep", load: async () => (await import("./commands/lr-sweep.js")).command },
  { name: "compare-init", load: async () => (await import("./commands/compare-init.js")).command },
  { name: "compare", load: async () => (await import("./commands/compare.js")).command },
  { name: "pairs", load: async () => (await import("./commands/pairs.js")).command },
  { name: "eval", load: async () => (await import("./commands/eval.js")).command },
  { name: "make-dataset", load: async () => (await import("./commands/make-dataset.js")).command },
  { name: "report", load: async () => (await import("./commands/report.js")).command },
  { name: "watch", load: async () => (await import("./commands/watch.js")).command },
  { name: "predict", load: async () => (await import("./commands/predict.js")).command },
  { name: "inspect", load: async () => (await import("./commands/inspect.js")).command },
  { name: "doctor", load: async () => (await import("./commands/doctor.js")).command },
  { name: "merge", load: async () => (await import("./commands/merge.js")).command },
  { name: "push", load: async () => (await import("./commands/push.js")).command },
  { name: "migrate", load: async () => (await import("./commands/migrate.js")).command },
];
