/** No file that is read here is nested nearly as deep; what goes through a value level by level has room for it. */
const MOST_LEVELS = 100;

/**
 * The value of a JSON text of anyone's making.
 *
 * @throws Error saying what is wrong: no JSON, or nested so deep that going through it would end the program
 */
export function parseJson(text: string): unknown {
  const root: unknown = JSON.parse(text);
  let level: unknown[] = [root];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > MOST_LEVELS) throw new Error(`it is nested more than ${MOST_LEVELS} levels deep`);
    level = level.flatMap((value) => (typeof value === "object" && value !== null ? Object.values(value) : []));
  }
  return root;
}
