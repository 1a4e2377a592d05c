/**
 * The programs on the interfaces of this network namespace, while there are services: an unused plane costs no packet, as
 * IPVS has its hooks only then (l4.md §1.1). And what they need of the machine: to be asked for routes as if over lo.
 */

import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isIpv4 } from "../../base/ip.ts";
import { addressBytes } from "../../director/encoding.ts";
import { type AttachMethod, type AttachPoint, attach, attached, type Direction, detach } from "../../sys/bpf-attach.ts";
import { type NetworkInterface, readInterfaces } from "../../sys/interfaces.ts";
import { structCodec } from "../../wire/struct-codec.ts";
import type { LoadedPlane } from "./loaded.ts";
import { namesIn, type Pins } from "./place.ts";

const DIRECTIONS: readonly Direction[] = ["ingress", "egress"];
/** clsact: before the programs of `evenkeel real`. */
const PRIORITY = 40_000;
/** ARPHRD_*: the programs read Ethernet headers. */
const ETHERNET = 1;
const LOOPBACK = 772;
/** RT_SCOPE_UNIVERSE. */
const GLOBAL = 0;

/** bpf/route.h: routes are asked for as if packets had come over lo; bpf/forward.h: some do. */
const SYSCTLS = ["net/ipv4/conf/lo/forwarding", "net/ipv6/conf/lo/forwarding", "net/ipv4/conf/lo/accept_local"];

export class Attachments {
  readonly #pins: Pins;
  readonly #plane: LoadedPlane;
  readonly #method: AttachMethod | undefined;

  /** @param method undefined: the best that the kernel has */
  constructor(pins: Pins, plane: LoadedPlane, method?: AttachMethod) {
    this.#pins = pins;
    this.#plane = plane;
    this.#method = method;
  }

  /** Its folder is there as long as programs are attached. */
  get attached(): boolean {
    return existsSync(this.#pins.links);
  }

  /** Also sees what leaves. */
  get outward(): boolean {
    return this.#linked().some(({ direction }) => direction === "egress");
  }

  /**
   * @param outward also sees what leaves; it costs every packet
   * @param anew also where our programs are already
   */
  attach(interfaces: Iterable<NetworkInterface>, outward: boolean, anew: boolean): void {
    if (!this.attached) {
      mkdirSync(this.#pins.links);
      for (const name of SYSCTLS) this.#switchOn(name);
    }
    const present = new Set<number>();
    for (const one of interfaces) {
      present.add(one.index);
      if (one.hardwareType !== ETHERNET && one.hardwareType !== LOOPBACK) continue;
      this.#describe(one);
      for (const direction of DIRECTIONS) {
        const point = this.#point(one.index, direction);
        // What leaves over lo comes in again over lo, and is dealt with there.
        if (direction === "egress" && (!outward || one.hardwareType === LOOPBACK)) {
          if (existsSync(point.pin) || attached(point) !== undefined) detach(point);
          continue;
        }
        if (!anew && attached(point) !== undefined) continue;
        try {
          attach(point, this.#plane.programs[direction], this.#method);
        } catch (error) {
          // It went in between.
          if (!isGone(error)) throw error;
        }
      }
    }
    for (const { index, direction } of this.#linked()) {
      if (!present.has(index)) detach(this.#point(index, direction));
    }
  }

  detach(): void {
    if (!this.attached) return;
    const points = new Map<string, AttachPoint>();
    const add = (index: number, direction: Direction) =>
      points.set(`${direction}${index}`, this.#point(index, direction));
    for (const { index, direction } of this.#linked()) add(index, direction);
    for (const { index } of readInterfaces().values()) for (const direction of DIRECTIONS) add(index, direction);
    for (const point of points.values()) {
      try {
        detach(point);
      } catch (error) {
        if (!isGone(error)) throw error;
      }
    }
    for (const name of SYSCTLS) this.#switchBack(name);
    rmdirSync(this.#pins.links);
  }

  /** A tunnel's outer source, where the kernel cannot be asked for it. */
  #describe({ index, addresses }: NetworkInterface): void {
    const { set } = this.#plane;
    const interfaces = (set.maps as unknown as Record<string, (typeof set.maps)["routes"]>).interfaces;
    if (interfaces === undefined) return;
    const usable = addresses.filter(({ scope }) => scope === GLOBAL).map(({ address }) => address);
    const first = (four: boolean) => {
      const found = usable.find((address) => isIpv4(address) === four);
      return found === undefined ? new Uint8Array(16) : addressBytes(found);
    };
    const key = new Uint8Array(4);
    new DataView(key.buffer).setUint32(0, index, true);
    const value = { source4: first(true), source6: first(false) };
    interfaces.update(key, structCodec<typeof value>(set.btf, "ek_interface").encode(value));
  }

  #point(interfaceIndex: number, direction: Direction): AttachPoint {
    const pin = join(this.#pins.links, `${direction}${interfaceIndex}`);
    return { interfaceIndex, direction, pin, priority: PRIORITY };
  }

  #linked(): readonly { readonly index: number; readonly direction: Direction }[] {
    return namesIn(this.#pins.links).flatMap((name) => {
      const [, direction, index] = /^(ingress|egress)(\d+)$/.exec(name) ?? [];
      return direction === undefined ? [] : [{ index: Number(index), direction: direction as Direction }];
    });
  }

  /** Remembers by a folder that it was off. */
  #switchOn(name: string): void {
    if (readSysctl(name) !== "0") return;
    mkdirSync(this.#memory(name), { recursive: true });
    writeFileSync(join("/proc/sys", name), "1");
  }

  #switchBack(name: string): void {
    if (!existsSync(this.#memory(name))) return;
    rmdirSync(this.#memory(name));
    writeFileSync(join("/proc/sys", name), "0");
  }

  #memory(name: string): string {
    return join(this.#pins.links, `was-off-${name.replaceAll("/", "-")}`);
  }
}

/** Undefined where the kernel has no such thing (IPv6 switched off). */
function readSysctl(name: string): string | undefined {
  const path = join("/proc/sys", name);
  return existsSync(path) ? readFileSync(path, "utf8").trim() : undefined;
}

const isGone = (error: unknown): boolean => error instanceof Error && "code" in error && error.code === "ENODEV";
