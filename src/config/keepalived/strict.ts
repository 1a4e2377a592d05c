/**
 * `strict_mode` and `vrrp_strict`: what RFC 3768 and RFC 5798 do not have is cleared, one line each, as keepalived does
 * (keepalived.conf(5); 2.2.7 measured). Unicast stays: 2.2.7 keeps it.
 */

import type { InstanceDraft } from "./instance.ts";
import { quote, type Report } from "./report.ts";
import type { Word } from "./tree.ts";

const OWNER_PRIORITY = 255;

/** Changes `draft`. What strict mode forces without a word (no lower-priority answer, no repeats) is `instance-rules.ts`. */
export function clearWhatStrictForbids(draft: InstanceDraft, priority: number, version: 2 | 3, report: Report): void {
  const owner = draft.name.text;
  const said = (at: Word, message: string, help = "Remove the line, or strict mode") =>
    report.warning("keepalived/strict", at, `(${owner}) ${message}`, help);
  if (draft.authentication !== undefined && version === 2) {
    said(draft.authentication, "Strict mode does not support authentication. Ignoring.");
    draft.authentication = undefined;
  }
  if (draft.preemptDelay !== undefined && draft.preemptDelay.value > 0) {
    said(draft.preemptDelay.at, "preempt_delay is incompatible with strict mode - resetting");
    draft.preemptDelay = undefined;
  }
  if (draft.state !== undefined && (draft.state.value === "MASTER") !== (priority === OWNER_PRIORITY)) {
    if (draft.state.value === "MASTER") {
      said(draft.state.at, "State MASTER must match being address owner", "Write state BACKUP");
      draft.state = { value: "BACKUP", at: draft.state.at };
    }
  }
  if ((draft.garp.lowerPrioRepeat ?? 0) > 0)
    said(draft.name, "Strict mode requires no repeat garps. resetting", "Remove garp_lower_prio_repeat");
  if ((draft.garp.lowerPrioDelay ?? 0) > 0)
    said(draft.name, "Strict mode requires no repeat garp delay. resetting", "Remove garp_lower_prio_delay");
  if (draft.lowerPrioNoAdvert?.value === false)
    said(draft.lowerPrioNoAdvert.at, "Strict mode requires no lower priority advert. resetting");
  if (draft.higherPrioSendAdvert?.value === true)
    said(draft.higherPrioSendAdvert.at, "strict mode requires higher_prio_send_advert to be clear. resetting");
  if (draft.downTimerAdverts !== undefined && draft.downTimerAdverts.value !== 3)
    said(draft.downTimerAdverts.at, "down_timer_adverts is incompatible with strict mode - resetting");
  if (draft.accept?.value === true && version === 2) {
    const message = "warning - accept mode for VRRP version 2 does not comply with RFC3768 - resetting";
    said(draft.accept.at, message);
    draft.accept = undefined;
  }
  const [first] = draft.addresses;
  if (first?.address.includes(":") && !isLinkLocal(first.address))
    said(first.written, "the first IPv6 VIP address must be link local", "Put fe80::…/64 first");
  const accepts = draft.accept?.value ?? priority === OWNER_PRIORITY;
  if (!accepts && draft.addresses.length > 0) {
    const message = `traffic to the addresses of ${quote(owner)} will be dropped: strict mode with priority ${priority} does not accept it`;
    const help = "Remove vrrp_strict (or strict_mode), which the sample file of many distributions has without need";
    report.warning("keepalived/strict-drops-traffic", draft.name, message, help);
  }
}

export const isLinkLocal = (address: string): boolean => /^fe[89ab]/.test(address);

/** RFC 5798 §6.1, Accept_Mode: strict mode means no unless the address is the router's own. */
export function acceptOf({ accept }: InstanceDraft, strict: boolean, priority: number): boolean {
  return accept?.value ?? (!strict || priority === OWNER_PRIORITY);
}
