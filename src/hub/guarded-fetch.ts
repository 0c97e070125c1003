import { HubError } from "../support/errors.js";

export interface FetchLimits {
  /** what is asked for, for messages */
  readonly what: string;
  /** how long nothing may come of what is waited for */
  readonly silenceMs: number;
  /** how large an answer may be */
  readonly mostBytes: number;
  /** ends what is under way: an answer that nobody reads to its end would keep the program running */
  readonly signal: AbortSignal;
}

/** `fetch` for a server that may fall silent, or never end: both are errors. */
export const guardedFetch =
  ({ what, silenceMs, mostBytes, signal }: FetchLimits): typeof fetch =>
  async (input, init) => {
    const abort = new AbortController();
    const orSilence = async <T>(work: Promise<T>): Promise<T> => {
      const fail = (): void => abort.abort(new Error(`silence for ${silenceMs / 1000} seconds`));
      const timer = setTimeout(fail, silenceMs);
      try {
        return await work;
      } finally {
        clearTimeout(timer);
      }
    };
    const response = await orSilence(fetch(input, { ...init, signal: AbortSignal.any([abort.signal, signal]) }));
    const reader = response.body?.getReader();
    if (reader === undefined) return response;
    let numBytes = 0;
    const body = new ReadableStream<Uint8Array>(
      {
        // Only who asks for more waits.
        async pull(controller) {
          const { done, value } = await orSilence(reader.read());
          numBytes += value?.byteLength ?? 0;
          if (numBytes > mostBytes) {
            const error = new HubError(`${what}: expected an answer of at most ${mostBytes} bytes, got more`);
            abort.abort(error);
            throw error;
          }
          if (done) controller.close();
          else controller.enqueue(value);
        },
        cancel: (reason) => reader.cancel(reason),
      },
      { highWaterMark: 0 },
    );
    const { status, statusText, headers, url } = response;
    return Object.defineProperty(new Response(body, { status, statusText, headers }), "url", { value: url });
  };
