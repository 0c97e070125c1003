/**
 * A map that holds at most so much: the entry that was not used for longest goes first. An entry heavier than the
 * whole capacity is kept alone, so that what was just put in can always be read.
 */
export class BoundedCache<V> {
  readonly #capacity: number;
  readonly #dispose: (value: V) => void;
  readonly #entries = new Map<string, { value: V; weight: number }>();
  readonly #loading = new Map<string, Promise<V>>();
  #weight = 0;

  /** @param capacity sum of the weights of all entries */
  constructor(capacity: number, dispose: (value: V) => void = () => {}) {
    this.#capacity = capacity;
    this.#dispose = dispose;
  }

  /** The entry, which thereby becomes the most recently used one. */
  get(key: string): V | undefined {
    const entry = this.#entries.get(key);
    if (entry === undefined) return undefined;
    this.#entries.delete(key);
    this.#entries.set(key, entry);
    return entry.value;
  }

  set(key: string, value: V, weight = 1): void {
    this.delete(key);
    this.#entries.set(key, { value, weight });
    this.#weight += weight;
    for (const oldest of this.#entries.keys()) {
      if (this.#weight <= this.#capacity || oldest === key) break;
      this.delete(oldest);
    }
  }

  /** The entry, loaded first if need be; those who ask while it is being loaded wait for the same load. */
  async load(key: string, load: () => Promise<V>, weigh: (value: V) => number = () => 1): Promise<V> {
    const present = this.get(key) ?? this.#loading.get(key);
    if (present !== undefined) return present;
    const loading = load();
    this.#loading.set(key, loading);
    try {
      const value = await loading;
      this.set(key, value, weigh(value));
      return value;
    } finally {
      this.#loading.delete(key);
    }
  }

  delete(key: string): void {
    const entry = this.#entries.get(key);
    if (entry === undefined) return;
    this.#entries.delete(key);
    this.#weight -= entry.weight;
    this.#dispose(entry.value);
  }

  clear(): void {
    for (const key of [...this.#entries.keys()]) this.delete(key);
  }
}
