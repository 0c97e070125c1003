import { z } from "zod";
import { HubError } from "../../support/errors.js";
import { type HubClient, type HubRequest, refusal } from "./hub-client.js";
import type { UploadFile } from "./upload-file.js";

export const CARD_FILE = "README.md";

const COMPLAINTS = z.object({ errors: z.array(z.object({ message: z.string() })).min(1) });

/** Has the Hub look at a model card before anything large is sent. @throws HubError with its complaints */
export async function validateCard(client: HubClient, card: UploadFile): Promise<void> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of card.read()) chunks.push(chunk);
  const request: HubRequest = {
    step: `have ${CARD_FILE} checked`,
    method: "POST",
    url: `${client.endpoint}/api/validate-yaml`,
    json: { repoType: "model", content: Buffer.concat(chunks).toString() },
  };
  const response = await client.send(request);
  if (response.ok) return void (await response.body?.cancel());
  const answer = await response
    .clone()
    .json()
    .then((value: unknown) => COMPLAINTS.safeParse(value))
    .catch(() => undefined);
  if (response.status !== 400 || !answer?.success) throw await refusal(client, request, response);
  const complaints = answer.data.errors.map(({ message }) => message).join("; ");
  throw new HubError(
    `${client.what}: expected valid metadata at the top of ${CARD_FILE}, got some with faults: ${complaints}`,
  );
}
