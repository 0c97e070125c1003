import { z } from "zod";
import { HubError } from "../../support/errors.js";
import { ask, type HubClient, type HubRequest, refusal } from "./hub-client.js";

const MODEL_INFO = z.object({ private: z.boolean().optional() });

/** What may mean that the repository exists already: it does, or the token may write to it but not create any. */
const MAY_EXIST = [409, 401, 402, 403];

/**
 * Creates a model repository unless it exists.
 *
 * @param isPrivate whether only its owner may see it; undefined for the owner's own default. That of a repository which
 *   exists already is not changed
 * @throws HubError if it cannot be created, and if it exists for everybody to see although it should be private
 */
export async function createRepository(
  client: HubClient,
  repoId: string,
  isPrivate: boolean | undefined,
): Promise<void> {
  const [organization, name] = repoId.split("/");
  const request: HubRequest = {
    step: "create it",
    method: "POST",
    url: `${client.endpoint}/api/repos/create`,
    json: {
      name,
      organization,
      ...(isPrivate === undefined ? {} : { visibility: isPrivate ? "private" : "public" }),
    },
  };
  const response = await client.send(request);
  if (response.ok) return void (await response.body?.cancel());
  const error = await refusal(client, request, response);
  if (!MAY_EXIST.includes(response.status)) throw error;
  if (response.status === 409 && isPrivate !== true) return;
  const info = await ask(client, MODEL_INFO, {
    step: "find it",
    method: "GET",
    url: `${client.endpoint}/api/models/${repoId}`,
  }).catch((reason: unknown) => {
    throw response.status === 409 ? reason : error;
  });
  if (isPrivate && info.private !== true) {
    throw new HubError(
      `${client.what}: expected a private repository, as private=true says, got one that everybody can see. Make it private ` +
        "in its settings on the Hub, or upload without private",
    );
  }
}
