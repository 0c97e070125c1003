import { CheckpointError, ConfigError, isUserError, messageOf } from "../support/errors.js";
import type { ComparedPolicy } from "./comparison.js";

/**
 * Does work on one policy of several; an error that a user can do something about says on which.
 *
 * @throws ConfigError or CheckpointError with the policy's name and folder before the message
 */
export async function namingPolicy<T>({ name, folder }: ComparedPolicy, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isUserError(error)) throw error;
    const place = `compare: policy "${name}" (${folder})`;
    if (error instanceof ConfigError) throw new ConfigError(place, messageOf(error));
    throw new CheckpointError(`${place}: ${messageOf(error)}`, { cause: error });
  }
}
