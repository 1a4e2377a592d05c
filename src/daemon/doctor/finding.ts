/** What the doctor has to say: one finding a line, and how bad all of them are together. Pure. */

export interface Finding {
  /** `missing` keeps traffic from flowing, or soon will; `note` is good to know; `ok` is what was looked at and is fine. */
  readonly level: "ok" | "note" | "missing";
  /** What was looked at: `VIP 10.0.0.1`, `kernel`. */
  readonly subject: string;
  readonly says: string;
  /** What to do about it. */
  readonly cure?: string | undefined;
}

export interface Section {
  readonly title: "machine" | "balancer" | "real server";
  readonly findings: readonly Finding[];
}

export const ok = (subject: string, says: string): Finding => ({ level: "ok", subject, says });
export const note = (subject: string, says: string, cure?: string): Finding => ({ level: "note", subject, says, cure });
export const missing = (subject: string, says: string, cure: string): Finding => ({
  level: "missing",
  subject,
  says,
  cure,
});

/** 0 when everything that is needed is there, else 1. */
export const exitStatus = (sections: readonly Section[]): 0 | 1 =>
  sections.some(({ findings }) => findings.some(({ level }) => level === "missing")) ? 1 : 0;
