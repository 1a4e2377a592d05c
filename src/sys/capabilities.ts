/** What this process may do (capabilities(7)), read from /proc. Changes nothing; `privileges.ts` gives them up. */

import { readFileSync } from "node:fs";

/** linux/capability.h. */
const NUMBERS = { CAP_NET_ADMIN: 12, CAP_NET_RAW: 13, CAP_SYS_ADMIN: 21, CAP_PERFMON: 38, CAP_BPF: 39 } as const;

export type CapabilityName = keyof typeof NUMBERS;

/** Those of `needed` that are not effective. CAP_SYS_ADMIN stands for CAP_BPF and CAP_PERFMON, as before Linux 5.8. */
export function missingCapabilities(
  needed: readonly CapabilityName[],
  status: string = readFileSync("/proc/self/status", "utf8"),
): readonly CapabilityName[] {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)$/m.exec(status)?.[1] ?? "0"}`);
  const has = (name: CapabilityName) => ((effective >> BigInt(NUMBERS[name])) & 1n) === 1n;
  return needed.filter(
    (name) => !has(name) && !((name === "CAP_BPF" || name === "CAP_PERFMON") && has("CAP_SYS_ADMIN")),
  );
}
