/** `quorum` and `hysteresis` against the weights of the real servers (keepalived.conf(5), "Virtual server(s)"). */

import type { RealServer } from "../model/virtual-server.ts";
import type { Report } from "./report.ts";
import type { VirtualServerDraft } from "./virtual-server.ts";

/**
 * keepalived 2.2.7 counts a quorum of 0 down to a hysteresis of 4294967295 when all weights are 0, so that the quorum is
 * never gained; here it stays 1, which comes to the same and can be reached once a weight rises.
 */
export function completeQuorum(
  draft: VirtualServerDraft,
  name: string,
  realServers: readonly RealServer[],
  report: Report,
): { readonly quorum: number; readonly hysteresis: number } {
  const total = realServers.reduce((sum, { settings }) => sum + settings.weight, 0);
  let quorum = draft.quorum?.value ?? 1;
  if (quorum > total) {
    const least = Math.max(1, total);
    const message = `quorum ${quorum} for ${name} exceeds total weight of real servers ${total}, reducing quorum to ${least}`;
    const help = "Give real servers more weight, or a lower quorum";
    report.warning("keepalived/quorum-too-high", draft.quorum?.at ?? draft.at, message, help);
    quorum = least;
  }
  const hysteresis = draft.hysteresis?.value ?? 0;
  if (hysteresis < quorum) return { quorum, hysteresis };
  const message = `Virtual server ${name}: hysteresis ${hysteresis} >= quorum ${quorum}; setting hysteresis to ${quorum - 1}`;
  const help = "The hysteresis has to be less than the quorum";
  report.warning("keepalived/hysteresis-too-high", draft.hysteresis?.at ?? draft.at, message, help);
  return { quorum, hysteresis: quorum - 1 };
}
