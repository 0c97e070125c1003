/** No file that is read here is nested nearly as deep; what goes through a value level by level has room for it. */
const MOST_LEVELS = 100;

const [QUOTE, BACKSLASH, OPEN_LIST, CLOSE_LIST, OPEN_OBJECT, CLOSE_OBJECT] = [...'"\\[]{}'].map((c) => c.charCodeAt(0));

/** The end of a JSON text whose first letter stands at a place: a regular expression would run out of stack in a long one. */
export function endOfText(json: string, start: number): number {
  for (let at = start; at < json.length; at++) {
    const letter = json.charCodeAt(at);
    if (letter === BACKSLASH) at++;
    else if (letter === QUOTE) return at + 1;
  }
  return json.length;
}

/** How many lists and objects lie in one another at most. */
function numLevels(json: string): number {
  let [level, deepest] = [0, 0];
  for (let at = 0; at < json.length; at++) {
    const letter = json.charCodeAt(at);
    if (letter === QUOTE) at = endOfText(json, at + 1) - 1;
    else if (letter === OPEN_LIST || letter === OPEN_OBJECT) deepest = Math.max(deepest, ++level);
    else if (letter === CLOSE_LIST || letter === CLOSE_OBJECT) level--;
  }
  return deepest;
}

/**
 * The value of a JSON text of anyone's making.
 *
 * @throws Error saying what is wrong: no JSON, or nested so deep that going through it would end the program
 */
export function parseJson(text: string): unknown {
  if (numLevels(text) > MOST_LEVELS) throw new Error(`it is nested more than ${MOST_LEVELS} levels deep`);
  return JSON.parse(text);
}
