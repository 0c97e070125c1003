/**
 * Times named sections of a program, each without the sections inside it, and the bridge's operators within them.
 * `now` is in milliseconds.
 */
export class SectionClock {
  /** milliseconds by section */
  sections = new Map();
  /** `{ section, operator, calls, ms }` by section and operator */
  operators = new Map();
  #open = [];
  #now;

  /** @param {() => number} now */
  constructor(now) {
    this.#now = now;
  }

  reset() {
    this.sections.clear();
    this.operators.clear();
  }

  /**
   * @template {(...args: any[]) => any} F
   * @param {string} name
   * @param {F} body
   * @returns {F}
   */
  timed(name, body) {
    return /** @type {F} */ (
      (...args) => {
        const section = { name, inner: 0 };
        this.#open.push(section);
        const started = this.#now();
        try {
          return body(...args);
        } finally {
          const elapsed = this.#now() - started;
          this.#open.pop();
          const outer = this.#open.at(-1);
          if (outer) outer.inner += elapsed;
          this.sections.set(name, (this.sections.get(name) ?? 0) + elapsed - section.inner);
        }
      }
    );
  }

  /** Replaces a method of one object by itself, timed. */
  watch(object, method, name) {
    object[method] = this.timed(name, object[method].bind(object));
  }

  /** Counts and times every operator call of the bridge from now on; must come before the first call of any. */
  watchOperators(native) {
    const { resolveOperator, callOperator } = native;
    const names = new Map();
    native.resolveOperator = (name) => {
      const operator = resolveOperator(name);
      names.set(operator, name);
      return operator;
    };
    native.callOperator = (operator, ...args) => {
      const started = this.#now();
      try {
        return callOperator(operator, ...args);
      } finally {
        const section = this.#open.at(-1)?.name ?? "";
        const key = `${section} ${operator}`;
        const entry = this.operators.get(key) ?? { section, operator: names.get(operator), calls: 0, ms: 0 };
        entry.calls += 1;
        entry.ms += this.#now() - started;
        this.operators.set(key, entry);
      }
    };
  }
}
