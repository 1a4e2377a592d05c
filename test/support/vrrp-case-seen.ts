/** Compares what was seen of a real router with a timeline of test/conformance/vrrp: order, and times with some tolerance. */

import { configurationOf } from "./vrrp-case-run.ts";
import type { Case, Expected } from "./vrrp-cases.ts";

/** Of the timeline, what the wire and the kernel show; `announces A x5` is five. Nothing passes a cable that is cut. */
export function visible(one: Case): Expected[] {
  const configuration = configurationOf(one.configuration);
  const cut = (at: number, what: string): boolean => {
    const instance =
      configuration.instances.find(({ name }) => what.startsWith(`${name} `)) ?? configuration.instances[0];
    const last = one.happenings.findLast(
      (each) =>
        each.at <= at &&
        each.kind === "deed" &&
        each.deed.type === "link" &&
        each.deed.interface === instance?.interface,
    );
    return last?.kind === "deed" && last.deed.type === "link" && !last.deed.up;
  };
  return one.expected.flatMap(({ at, what }) => {
    if (/^(holds|drops|adds|removes) /.test(what)) return [{ at, what }];
    const [, said = "", times = "1"] = /^(announces \S+.*?)(?: x(\d+))?$/.exec(what) ?? [];
    if (said !== "") return cut(at, what) ? [] : Array.from({ length: Number(times) }, () => ({ at, what: said }));
    return /^(\S+ )?advert \d+/.test(what) && !cut(at, what) ? [{ at, what }] : [];
  });
}

export interface Tolerance {
  /** Milliseconds by which a thing may seem to have come too early: so late the start was noticed. */
  readonly early: number;
  readonly late: number;
  /** Things this far apart come one after the other on any machine. */
  readonly apart: number;
}

/** What is not as expected, in words; empty when all is. Times are milliseconds since the start. */
export function differences(expected: readonly Expected[], seen: readonly Expected[], tolerance: Tolerance): string[] {
  const found: string[] = [];
  const when = (at: number): string => (at / 1_000).toFixed(3);
  const times = (what: string): number[] => seen.filter((each) => each.what === what).map(({ at }) => at);
  const met: { readonly expected: Expected; readonly at: number }[] = [];
  for (const what of new Set([...expected, ...seen].map((each) => each.what))) {
    const [due, came] = [expected.filter((each) => each.what === what), times(what)];
    for (const [place, at] of came.entries()) {
      const one = due[place];
      if (one === undefined) found.push(`${when(at)} ${what}: not expected`);
      else {
        if (at < one.at - tolerance.early) found.push(`${when(at)} ${what}: before ${when(one.at)}`);
        if (at > one.at + tolerance.late) found.push(`${when(at)} ${what}: long after ${when(one.at)}`);
        met.push({ expected: one, at });
      }
    }
    for (const one of due.slice(came.length)) found.push(`${when(one.at)} ${what}: did not come`);
  }
  for (const first of met)
    for (const second of met)
      if (second.expected.at - first.expected.at >= tolerance.apart && second.at < first.at)
        found.push(
          `${second.expected.what} at ${when(second.at)} came before ${first.expected.what} at ${when(first.at)}`,
        );
  return found;
}
