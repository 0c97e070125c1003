import { CheckpointError, ConfigError, DatasetError, HubError, messageOf, ShapeError } from "./errors.js";

/** An error in a form that can be sent between threads. */
export interface ErrorMessage {
  readonly name: string;
  readonly message: string;
}

const CLASSES = { CheckpointError, DatasetError, HubError, ShapeError } as const;

export const toErrorMessage = (error: unknown): ErrorMessage => ({
  name: error instanceof Error ? error.name : "Error",
  message: messageOf(error),
});

/** An error of the class it had in the other thread, where that is one of ours. */
export function fromErrorMessage({ name, message }: ErrorMessage): Error {
  if (name === "ConfigError") return Object.assign(new ConfigError("", message), { message });
  const Class = CLASSES[name as keyof typeof CLASSES] ?? Error;
  return new Class(message);
}
