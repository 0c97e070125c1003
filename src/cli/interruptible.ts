/** What Ctrl-C ends a program with: 128 and the signal's number. */
export const EXIT_INTERRUPTED = 130;

/** Does work that can be asked to stop: its signal is given when the process gets SIGINT or SIGTERM. */
export async function interruptible<T>(work: (signal: AbortSignal) => Promise<T>): Promise<T> {
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  // Once: a second signal ends what is slow to stop; what is saved is whole even then.
  process.once("SIGINT", onSignal);
  process.once("SIGTERM", onSignal);
  try {
    return await work(interrupt.signal);
  } finally {
    process.off("SIGINT", onSignal);
    process.off("SIGTERM", onSignal);
  }
}
