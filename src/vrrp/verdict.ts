/**
 * What one tracker says about one virtual router, and chains of causes.
 *
 * A cause is a chain in words, root first, joined by " → ". It ends before the event that it is the cause of: the state of
 * VI_1 has `eth0 lost carrier`, its sync group `eth0 lost carrier → VI_1 FAULT`, another member
 * `eth0 lost carrier → VI_1 FAULT → group RH`.
 */

export interface Verdict {
  /** The same tracker has the same key: `interface eth0`, `script chk`. */
  readonly key: string;
  /** How it stands now: `eth0 lost carrier`, `script chk exited with status 1`. */
  readonly says: string;
  /** keepalived 2.2.7's line when it is a fault at a start, after `(VI_1)`; it does not always put a colon there. */
  readonly line: string;
  readonly fault: boolean;
  /** It decides alone and has not reported yet: holds back a start, and nothing that runs already. */
  readonly pending: boolean;
  /** Added to the priority. */
  readonly points: number;
}

export const chain = (...links: readonly string[]): string => links.join(" → ");

/** Several roots of one event. */
export const together = (causes: readonly string[]): string => [...new Set(causes)].join(" and ");

/** What the faults say. */
export const faultsIn = (verdicts: readonly Verdict[]): string[] => [
  ...new Set(verdicts.filter(({ fault }) => fault).map(({ says }) => says)),
];

export const pendingIn = (verdicts: readonly Verdict[]): string[] =>
  verdicts.filter(({ pending }) => pending).map(({ key }) => key);

/** What those say now that were in the way before. */
export function whatHasChanged(
  before: readonly Verdict[],
  now: readonly Verdict[],
  concerns: (was: Verdict | undefined, is: Verdict | undefined) => boolean,
): string | undefined {
  const keys = [...new Set([...now, ...before].map(({ key }) => key))];
  const said = keys.flatMap((key) => {
    const was = before.find((verdict) => verdict.key === key);
    const is = now.find((verdict) => verdict.key === key);
    return concerns(was, is) ? [is?.says ?? `${key} is not tracked any more`] : [];
  });
  return said.length === 0 ? undefined : together(said);
}
