/** A way to spoil a policy or its training, and what names it. */
export interface Fault {
  /** in words, as docs/guide/doctor.md has it */
  readonly fault: string;
  readonly who: "gate" | "doctor" | "health";
  /** id of a check, kind of a finding, or the gate's words */
  readonly names: string;
}
