import { expect, it } from "vitest";
import { createLogger } from "./logger.js";

it("a log line says level, time and where it was logged", () => {
  const lines: string[] = [];
  const logger = createLogger({ writeLine: (line) => lines.push(line), now: () => new Date(2025, 7, 3, 4, 5, 9) });
  logger.info("started");
  logger.warning("slow");
  logger.error("stopped");
  const place = "er\\.test\\.ts:\\d+";
  expect(lines[0]).toMatch(new RegExp(`^INFO 2025-08-03 04:05:09 .*${place} started$`));
  expect(lines[1]).toMatch(new RegExp(`^WARNING 2025-08-03 04:05:09 .*${place} slow$`));
  expect(lines[2]).toMatch(new RegExp(`^ERROR 2025-08-03 04:05:09 .*${place} stopped$`));
});
