import { HubApiError, InvalidApiResponseFormatError } from "@huggingface/hub";
import { HubError, messageOf } from "../support/errors.js";

const ADVICE: readonly [isMeant: (status: number) => boolean, advice: string][] = [
  [
    (status) => status === 401 || status === 403,
    "It does not exist, or it is private or gated: check the name, and set HF_TOKEN to a token that may read it",
  ],
  [(status) => status === 404, "Check the name and the revision; a private one needs a token in HF_TOKEN"],
  [(status) => status === 429, "Too many requests: wait a while, or set HF_TOKEN"],
  [(status) => status >= 500, "The server has a problem: try again later"],
];

/** Of what a server says about an error. */
const MOST_LETTERS = 300;

/** A failed request as a HubError with status, URL and what to do. HubErrors pass as they are. */
export function toHubError(error: unknown, what: string): HubError {
  if (error instanceof HubError) return error;
  if (error instanceof HubApiError) {
    const { statusCode: status, url } = error;
    const said = typeof error.data?.error === "string" ? ` (${error.data.error.slice(0, MOST_LETTERS)})` : "";
    const advice = ADVICE.find(([isMeant]) => isMeant(status))?.[1];
    const message = `${what}: expected a download from ${url}, got status ${status}${said}`;
    return new HubError(advice === undefined ? message : `${message}. ${advice}`, { status, url, cause: error });
  }
  if (error instanceof InvalidApiResponseFormatError || error instanceof SyntaxError) {
    return new HubError(`${what}: expected the answer of a Hub, got another (${error.message}). Check HF_ENDPOINT`);
  }
  if (error instanceof Error && "syscall" in error) {
    return new HubError(
      `${what}: cannot be stored in the cache (${error.message}). Check space and rights there, or set HF_HUB_CACHE`,
    );
  }
  const reason = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
  return new HubError(
    `${what}: the Hub cannot be reached (${reason}). Check the network, or HF_ENDPOINT if it is set`,
    { cause: error },
  );
}

/** Whether trying again may help: no answer at all, too many requests, or a fault of the server. */
export const isTransient = ({ status, cause }: HubError): boolean =>
  cause !== undefined && (status === undefined || status === 429 || status >= 500);
