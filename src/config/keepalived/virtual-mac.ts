/**
 * `use_vmac [NAME] [MAC]`: a macvlan that carries the RFC's MAC address (keepalived.conf(5); RFC 9568 §7.3).
 *
 * Whether the interface can be made is the daemon's to find out.
 */

import type { MacAddress } from "../../base/mac.ts";
import type { VirtualMac } from "../model/vrrp.ts";
import { quote, type Report } from "./report.ts";
import type { Statement, Word } from "./tree.ts";
import type { Handlers } from "./walk.ts";

export interface VirtualMacDraft {
  at: Word | undefined;
  interface: Word | undefined;
  mac: MacAddress | undefined;
  transmitOnBase: Word | undefined;
}

export const noVirtualMac = (): VirtualMacDraft => ({
  ...{ at: undefined, interface: undefined, mac: undefined, transmitOnBase: undefined },
});

const MAC = /^[0-9a-fA-F]{1,2}(:[0-9a-fA-F]{1,2}){5}$/;
const NAME = /^[^\s/:]{1,15}$/;

export function virtualMacHandlers(draft: VirtualMacDraft, report: Report): Handlers {
  return {
    use_vmac: ({ keyword, words }) => {
      draft.at = keyword;
      for (const word of words) readWord(word, draft, report);
    },
    vmac_xmit_base: ({ keyword }: Statement) => {
      draft.transmitOnBase = keyword;
    },
  };
}

function readWord(word: Word, draft: VirtualMacDraft, report: Report): void {
  if (MAC.test(word.text)) {
    const pairs = word.text.toLowerCase().split(":");
    draft.mac = pairs.map((pair) => pair.padStart(2, "0")).join(":") as MacAddress;
    if ((Number.parseInt(pairs[0] ?? "", 16) & 1) === 1) {
      report.warning(
        "keepalived/bad-vmac",
        word,
        `VMAC address ${quote(word.text)} is a group address - ignoring`,
        "Its first byte must be even",
      );
      draft.mac = undefined;
    }
  } else if (draft.interface !== undefined) {
    const message = "VMAC interface name already specified";
    report.warning("keepalived/bad-vmac", word, message, "Write use_vmac [NAME] [MAC]");
  } else if (NAME.test(word.text) && word.text !== "." && word.text !== "..") {
    draft.interface = word;
  } else {
    const message = `VMAC interface name ${quote(word.text)} too long or invalid characters - ignoring`;
    report.warning("keepalived/bad-vmac", word, message, "At most 15 characters, without blanks, slashes and colons");
  }
}

/** Names of macvlans are unique in a host: `vrrp.51`, then `vrrp6.51` for IPv6, `vrrp1.51`, `vrrp2.51` … as keepalived. */
export class MacvlanNames {
  readonly #taken = new Set<string>();
  readonly #prefix: string;

  constructor(prefix: string) {
    this.#prefix = prefix;
  }

  /** False when it is taken. */
  reserve(name: string): boolean {
    return !this.#taken.has(name) && this.#taken.add(name) !== undefined;
  }

  nameFor(virtualRouterId: number, family: "ipv4" | "ipv6"): string {
    const first = `${this.#prefix}.${virtualRouterId}`;
    if (this.reserve(first)) return first;
    const six = `${this.#prefix}6.${virtualRouterId}`;
    if (family === "ipv6" && this.reserve(six)) return six;
    for (let number = 1; ; number++) {
      const name = `${this.#prefix}${number}.${virtualRouterId}`;
      if (number !== 6 && this.reserve(name)) return name;
    }
  }
}

export function completeVirtualMac(
  draft: VirtualMacDraft,
  of: {
    readonly owner: string;
    readonly virtualRouterId: number;
    readonly family: "ipv4" | "ipv6";
    readonly unicast: boolean;
  },
  names: MacvlanNames,
  report: Report,
): VirtualMac | undefined {
  const { at, mac, transmitOnBase } = draft;
  const { owner, virtualRouterId, family, unicast } = of;
  if (at === undefined) {
    if (transmitOnBase !== undefined) {
      const message = `(${owner}) vmac_xmit_base is only valid with a vmac`;
      report.warning("keepalived/bad-vmac", transmitOnBase, message, "Add use_vmac, or remove it");
    }
    return undefined;
  }
  if (unicast && transmitOnBase === undefined) {
    const message = `(${owner}) unicast with use_vmac requires vmac_xmit_base - setting`;
    report.warning("keepalived/bad-vmac", at, message, "Add vmac_xmit_base");
  }
  let name = draft.interface?.text;
  if (draft.interface !== undefined && name !== undefined && !names.reserve(name)) {
    const message = `(${owner}) VMAC interface name ${quote(name)} is another instance's - ignoring`;
    report.warning("keepalived/bad-vmac", draft.interface, message, "Give each a name of its own");
    name = undefined;
  }
  const transmit = transmitOnBase !== undefined || unicast;
  return { interface: name ?? names.nameFor(virtualRouterId, family), mac, transmitOnBase: transmit };
}
