export interface Fault {
  readonly kind: "kill" | "full" | "broken" | "count";
  readonly at: number;
  readonly moment?: "before" | "torn" | "after";
  readonly report?: string;
}

/** Makes this process's calls that change files fail from now on; undefined for nothing any more. */
export function armFault(fault: Fault | undefined): Promise<void>;

/** The calls since it was armed, by name. */
export function callsSoFar(): readonly string[];
