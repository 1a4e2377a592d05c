/** What the kernel says of links and addresses, whoever changed them: this process hears of its own changes too. */

import type { IpAddress } from "../base/ip.ts";
import { applyTrackers, updateStandings } from "./eligibility.ts";
import { type Draft, interfaceNamed, isVirtual, putInterface } from "./host-state.ts";
import { onAddressLost, onLinkBack } from "./loss.ts";
import type { Input } from "./messages.ts";
import { log, type Step } from "./step.ts";
import { change } from "./sync-group.ts";

export function onLink(step: Step, draft: Draft, input: Extract<Input, { type: "link" }>): void {
  const { interface: name, up, lack } = input;
  const before = interfaceNamed(draft, name);
  putInterface(draft, { ...before, up, lack: up ? undefined : lack, wasUp: before.wasUp || before.up });
  if (before.up === up) {
    // Its routers stay where they are, and for what it lacks now.
    if (!up && before.lack !== lack) updateStandings(step, draft);
    return;
  }
  log(step, `Netlink reports ${name} ${up ? "up" : "down"}`);
  applyTrackers(step, draft);
  if (!up) return;
  for (const router of draft.routers) {
    change(step, draft, router.name, (instance, holder) => onLinkBack(step, instance, holder, name));
  }
}

export function onAddress(step: Step, draft: Draft, input: Extract<Input, { type: "address" }>): void {
  const { interface: name, address, present } = input;
  const before = interfaceNamed(draft, name);
  if (before.addresses.includes(address) === present) return;
  const addresses = present ? [...before.addresses, address] : before.addresses.filter((known) => known !== address);
  const removing = before.removing.filter((gone) => present || gone !== address);
  putInterface(draft, { ...before, addresses, removing });
  if (isVirtual(draft, address)) {
    if (!present && !before.removing.includes(address)) onVirtualAddressLost(step, draft, name, address, input.by);
    return;
  }
  // Was a virtual one until the configuration changed.
  if (before.removing.includes(address)) return;
  const what = present ? `Assigned address ${address} for` : `Deassigned address ${address} from`;
  log(step, `${what} interface ${name}`);
  applyTrackers(step, draft);
}

function onVirtualAddressLost(
  step: Step,
  draft: Draft,
  name: string,
  address: IpAddress,
  by: string | undefined,
): void {
  log(step, `Netlink reflector reports IP ${address} removed from ${name}`);
  // The kernel takes IPv6 addresses from what is set down; a master that does not mind gets them back by refreshing.
  if (!interfaceNamed(draft, name).up) return;
  for (const router of draft.routers) {
    change(step, draft, router.name, (instance, holder) => onAddressLost(step, instance, holder, name, address, by));
  }
}
