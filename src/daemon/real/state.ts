/**
 * What the programs of a real server know (bpf/real-structs.h), read and written by the names of its fields.
 *
 * The pinned maps are all the memory that `evenkeel real` has: there is no process and no file besides.
 */

import { existsSync } from "node:fs";
import { join } from "node:path";
import { type IpAddress, type Ipv4Address, ipToBytes, ipv4FromBytes, ipv6FromBytes, isIpv4 } from "../../base/ip.ts";
import { type BpfMap, openPinnedMap } from "../../sys/bpf-map.ts";
import type { Btf } from "../../wire/btf.ts";
import { type StructCodec, structCodec } from "../../wire/struct-codec.ts";

/** enum ek_family. */
const EK_IPV4 = 4;
const EK_IPV6 = 6;
/** enum ek_real_flag. */
const EK_REAL_TUNNEL = 0x1;
const EK_REAL_OWN_ADDRESS = 0x2;

/** enum ek_real_counter, in its order. */
export const COUNTERS = [
  "arpSilenced",
  "arpRenamed",
  "ndSilenced",
  "ndRenamed",
  "decapsulated",
  "tunnelFragment",
  "tunnelBroken",
  "tunnelEcn",
  "mssLowered",
] as const;

/** Packets each; bpf/real-structs.h says of what. */
export type RealCounters = Readonly<Record<(typeof COUNTERS)[number], number>>;

export type RealMode = "dr" | "tun";

export interface GuardedVip {
  readonly address: IpAddress;
  readonly mode: RealMode;
  /** The most that clients are offered; 0: as it comes. */
  readonly mss: number;
  /** The address on lo is our work, and goes with `--undo`. */
  readonly ownAddress: boolean;
}

/** Who asks in the place of a VIP. */
export interface Spokesman {
  readonly ipv4: Ipv4Address | undefined;
  /** Link-local. */
  readonly ipv6: IpAddress | undefined;
}

type VipKey = { readonly address: Uint8Array; readonly family: number };
type VipValue = { readonly flags: number; readonly mss: number };
type InterfaceValue = { readonly ipv4_be: number; readonly ipv6: Uint8Array };

const MAPS = ["real_vips", "real_interfaces", "real_counters"] as const;

export class RealState {
  readonly #vips: BpfMap;
  readonly #interfaces: BpfMap;
  readonly #counters: BpfMap;
  readonly #key: StructCodec<VipKey>;
  readonly #value: StructCodec<VipValue>;
  readonly #interface: StructCodec<InterfaceValue>;

  constructor(types: Btf, map: (name: (typeof MAPS)[number]) => BpfMap) {
    this.#vips = map("real_vips");
    this.#interfaces = map("real_interfaces");
    this.#counters = map("real_counters");
    this.#key = structCodec<VipKey>(types, "ek_real_vip_key");
    this.#value = structCodec<VipValue>(types, "ek_real_vip");
    this.#interface = structCodec<InterfaceValue>(types, "ek_real_interface");
  }

  /** In the order of their addresses' text. */
  vips(): GuardedVip[] {
    return Array.from(this.#vips.entries(), ([keyBytes, valueBytes]) => {
      const { address, family } = this.#key.decode(keyBytes);
      const { flags, mss } = this.#value.decode(valueBytes);
      return {
        address: family === EK_IPV4 ? ipv4FromBytes(address) : ipv6FromBytes(address),
        mode: (flags & EK_REAL_TUNNEL) !== 0 ? ("tun" as const) : ("dr" as const),
        mss,
        ownAddress: (flags & EK_REAL_OWN_ADDRESS) !== 0,
      };
    }).sort((a, b) => (a.address < b.address ? -1 : 1));
  }

  putVip(vip: GuardedVip): void {
    const flags = (vip.mode === "tun" ? EK_REAL_TUNNEL : 0) | (vip.ownAddress ? EK_REAL_OWN_ADDRESS : 0);
    this.#vips.update(this.#vipKey(vip.address), this.#value.encode({ flags, mss: vip.mss }));
  }

  removeVip(address: IpAddress): void {
    this.#vips.delete(this.#vipKey(address));
  }

  spokesman(interfaceIndex: number): Spokesman | undefined {
    const bytes = this.#interfaces.lookup(indexKey(interfaceIndex));
    if (bytes === undefined) return undefined;
    const { ipv4_be, ipv6 } = this.#interface.decode(bytes);
    return {
      ipv4: ipv4_be === 0 ? undefined : ipv4FromBytes(u32(ipv4_be)),
      ipv6: ipv6.every((byte) => byte === 0) ? undefined : ipv6FromBytes(ipv6),
    };
  }

  putSpokesman(interfaceIndex: number, { ipv4, ipv6 }: Spokesman): void {
    const ipv4_be = ipv4 === undefined ? 0 : new DataView(ipToBytes(ipv4).buffer).getUint32(0);
    const value = { ipv4_be, ...(ipv6 === undefined ? {} : { ipv6: ipToBytes(ipv6) }) };
    this.#interfaces.update(indexKey(interfaceIndex), this.#interface.encode(value));
  }

  /** Of interfaces that have gone or are no longer guarded. */
  keepSpokesmen(of: ReadonlySet<number>): void {
    for (const [key] of [...this.#interfaces.entries()]) {
      if (!of.has(new Uint32Array(key.slice().buffer)[0] ?? 0)) this.#interfaces.delete(key);
    }
  }

  counters(): RealCounters {
    const found = COUNTERS.map((name, index) => {
      const each = new BigUint64Array((this.#counters.lookup(indexKey(index)) ?? new Uint8Array(8)).slice().buffer);
      return [name, Number(each.reduce((sum, one) => sum + one, 0n))] as const;
    });
    return Object.fromEntries(found) as Record<(typeof COUNTERS)[number], number>;
  }

  /** Safe to call twice. */
  close(): void {
    for (const map of [this.#vips, this.#interfaces, this.#counters]) map.close();
  }

  #vipKey(address: IpAddress): Uint8Array {
    const bytes = new Uint8Array(16);
    bytes.set(ipToBytes(address));
    return this.#key.encode({ address: bytes, family: isIpv4(address) ? EK_IPV4 : EK_IPV6 });
  }
}

/** What is pinned in `folder`; undefined when nothing is. @throws SystemError EPERM */
export function openRealState(folder: string, types: () => Btf): RealState | undefined {
  if (MAPS.some((name) => !existsSync(join(folder, name)))) return undefined;
  return new RealState(types(), (name) => openPinnedMap(join(folder, name)));
}

const indexKey = (index: number): Uint8Array => new Uint8Array(Uint32Array.of(index).buffer);
const u32 = (value: number): Uint8Array => Uint8Array.of(value >>> 24, value >>> 16, value >>> 8, value);
