import { CheckpointError, ConfigError, DatasetError, HubError, messageOf, ShapeError } from "./errors.js";

/** An error in a form that can be sent between threads. */
export interface ErrorMessage {
  readonly name: string;
  readonly message: string;
  readonly stack?: string | undefined;
}

const CLASSES = { CheckpointError, DatasetError, HubError, ShapeError } as const;

export const toErrorMessage = (error: unknown): ErrorMessage =>
  error instanceof Error
    ? { name: error.name, message: error.message, stack: error.stack }
    : { name: "Error", message: messageOf(error) };

/** An error of the class it had in the other thread, where that is one of ours, with its place there. */
export function fromErrorMessage({ name, message, stack }: ErrorMessage): Error {
  const Class = CLASSES[name as keyof typeof CLASSES] ?? Error;
  const error = name === "ConfigError" ? new ConfigError("", message) : new Class(message);
  return Object.assign(error, { message, stack });
}
