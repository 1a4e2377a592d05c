/**
 * Loads the native addon (`native/`, built by `scripts/build-addon`) and gives its calls types.
 *
 * The only module that loads it. Calls are named after the system calls that they make and take what the kernel takes:
 * socket addresses and option values are bytes (see `sockaddr.ts`). They throw `Error` with `syscall`, `errno` and
 * `code`, and `TypeError` for arguments of the wrong shape; `attempt` turns the first kind into `SystemError`.
 */

import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { MapInformation } from "./bpf-map.ts";

/** Refused by the operating system. `tried` says what for, in words that a user understands. */
export class SystemError extends Error {
  readonly syscall: string;
  /** Positive, as in errno(3). */
  readonly errno: number;
  /** `EPERM`, `ENODEV`, … */
  readonly code: string;
  readonly tried: string;

  constructor(failure: { syscall: string; errno: number; code: string; detail?: string | undefined }, tried: string) {
    const detail = failure.detail === undefined ? "" : `: ${failure.detail}`;
    super(`cannot ${tried}: ${failure.syscall}: ${failure.code}${detail}`);
    this.name = "SystemError";
    this.syscall = failure.syscall;
    this.errno = failure.errno;
    this.code = failure.code;
    this.tried = tried;
  }
}

/** Index of a descriptor in the process. The addon opens all of them close-on-exec. */
export type Descriptor = number;

/** Everything with `errno` 0 is a batch as laid out in `native/receive.h`; otherwise `batch` is undefined. */
export type WatchCallback = (errno: number, batch: ArrayBuffer | undefined) => void;

/** One control message (cmsg(3)) to send along. */
export interface ControlMessage {
  readonly level: number;
  readonly type: number;
  readonly data: Uint8Array;
}

/** Kernel numbers by name, from the C headers that the addon was built with. */
export type ConstantName =
  | "AF_UNIX"
  | "AF_INET"
  | "AF_INET6"
  | "AF_NETLINK"
  | "AF_PACKET"
  | "SOCK_STREAM"
  | "SOCK_DGRAM"
  | "SOCK_SEQPACKET"
  | "SOCK_RAW"
  | "NETLINK_ROUTE"
  | "SOL_SOCKET"
  | "SO_BINDTODEVICE"
  | "SO_NETNS_COOKIE"
  | "SO_MARK"
  | "SO_PRIORITY"
  | "SO_RCVBUF"
  | "SO_RCVBUFFORCE"
  | "SO_REUSEADDR"
  | "SO_REUSEPORT"
  | "SO_TIMESTAMPNS"
  | "IPPROTO_IP"
  | "IPPROTO_IPV6"
  | "IP_ADD_MEMBERSHIP"
  | "IP_DROP_MEMBERSHIP"
  | "IP_FREEBIND"
  | "IP_HDRINCL"
  | "IP_MULTICAST_ALL"
  | "IP_MULTICAST_IF"
  | "IP_MULTICAST_LOOP"
  | "IP_MULTICAST_TTL"
  | "IP_PKTINFO"
  | "IP_RECVTTL"
  | "IP_TOS"
  | "IP_TRANSPARENT"
  | "IPV6_FREEBIND"
  | "IPV6_HDRINCL"
  | "IPV6_JOIN_GROUP"
  | "IPV6_MULTICAST_ALL"
  | "IPV6_MULTICAST_IF"
  | "IPV6_MULTICAST_LOOP"
  | "IPV6_RECVHOPLIMIT"
  | "IPV6_RECVPKTINFO"
  | "IPV6_TRANSPARENT"
  | "IPV6_V6ONLY"
  | "SOL_NETLINK"
  | "NETLINK_ADD_MEMBERSHIP"
  | "NETLINK_EXT_ACK"
  | "NETLINK_CAP_ACK"
  | "NETLINK_GET_STRICT_CHK"
  | "SOL_PACKET"
  | "PACKET_ADD_MEMBERSHIP"
  | "PACKET_MR_PROMISC"
  | "CLONE_FS"
  | "CLONE_NEWNET"
  | "CLONE_NEWNS"
  | "CLONE_NEWUTS"
  | "EAGAIN"
  | "ENODEV"
  | "EADDRNOTAVAIL"
  | "ENOBUFS"
  | "EINTR";

export interface NativeAddon extends NativeBpf {
  readonly constants: Readonly<Record<ConstantName, number>>;
  /** `ENOBUFS` for 105; `E105` when the C library has no name for it. */
  errorName(errno: number): string;

  /** Non-blocking and close-on-exec, as are both ends of `socketpair`. */
  socket(domain: number, type: number, protocol: number): Descriptor;
  socketpair(domain: number, type: number, protocol: number): [Descriptor, Descriptor];
  bind(fd: Descriptor, address: Uint8Array): void;
  listen(fd: Descriptor, backlog: number): void;
  /** A number is given to the kernel as a C `int`. */
  setsockopt(fd: Descriptor, level: number, name: number, value: number | Uint8Array): void;
  /** At most `length` bytes. */
  getsockopt(fd: Descriptor, level: number, name: number, length: number): Uint8Array;
  /** SO_ATTACH_FILTER: packed `struct sock_filter`, 8 bytes each. */
  attachFilter(fd: Descriptor, program: Uint8Array): void;

  /** sendmsg(2). Bytes sent; `descriptors` travel as SCM_RIGHTS. */
  send(
    fd: Descriptor,
    bytes: Uint8Array,
    address?: Uint8Array | undefined,
    control?: readonly ControlMessage[] | undefined,
    descriptors?: readonly Descriptor[] | undefined,
  ): number;
  /** recvmmsg(2) at once: a batch, or undefined when nothing waits. */
  receive(fd: Descriptor, slotBytes: number, slots: number): ArrayBuffer | undefined;
  /** Calls back on the main loop with each batch until `unwatch`. A descriptor has at most one watch. */
  watch(fd: Descriptor, slotBytes: number, slots: number, callback: WatchCallback): number;
  /** No call-back comes after it, even from within one. */
  unwatch(watch: number): void;

  /** Refuses a descriptor that is still watched. */
  close(fd: Descriptor): void;
  setCloseOnExec(fd: Descriptor, on: boolean): void;

  setgroups(groups: readonly number[]): void;
  setresgid(real: number, effective: number, saved: number): void;
  setresuid(real: number, effective: number, saved: number): void;
  setNoNewPrivileges(): void;
  /** prctl(PR_SET_PDEATHSIG): sent when the parent dies; 0 clears. The kernel forgets it when the user changes. */
  setParentDeathSignal(signal: number): void;
  /** Readable when the process has ended: pidfd_open(2), Linux 5.3. */
  pidfdOpen(pid: number): Descriptor;
  /** Readable when its time has come; of CLOCK_MONOTONIC. */
  timerfdCreate(): Descriptor;
  /** 0 and 0: never. */
  timerfdSet(fd: Descriptor, seconds: number, nanoseconds: number): void;

  setns(fd: Descriptor, type: number): void;
  unshare(flags: number): void;

  /** A file system without a device: nosuid, nodev, noexec. */
  mount(type: string, path: string, options: string): void;
  /** Lazily: it is gone at once, and ends when nobody uses it. */
  umount(path: string): void;
  /** Exclusive; false: somebody else has it and `wait` is false. */
  flock(fd: Descriptor, wait: boolean): boolean;
  /** F_OFD_SETLK on the whole file, exclusive; false: somebody else has it. Not seen by `flock`. */
  ofdLock(fd: Descriptor): boolean;
  /** From now on each `signal` writes its number as one byte to `fd` instead of ending the process. */
  catchSignal(signal: number, fd: Descriptor): void;
}

/** A map to be used instead of a new one (`fd`), or of another size (`maxEntries`); 0 and -1 leave it as it is. */
export interface NativeMapChoice {
  readonly name: string;
  readonly fd: Descriptor;
  readonly maxEntries: number;
}

/** bpf(2) and what goes with it. A key or value of the wrong length is a TypeError. */
export interface NativeBpf {
  bpfMapInformation(fd: Descriptor): MapInformation;
  /** False: no such key. */
  bpfMapLookup(fd: Descriptor, key: Uint8Array, value: Uint8Array): boolean;
  bpfMapTake(fd: Descriptor, key: Uint8Array, value: Uint8Array): boolean;
  bpfMapUpdate(fd: Descriptor, key: Uint8Array, value: Uint8Array, flags: number): void;
  bpfMapDelete(fd: Descriptor, key: Uint8Array): boolean;
  bpfMapNextKey(fd: Descriptor, key: Uint8Array | undefined, next: Uint8Array): boolean;
  /** From `position` on (undefined: the start); the new position is undefined at the end. */
  bpfMapLookupBatch(
    fd: Descriptor,
    position: Uint8Array | undefined,
    keys: Uint8Array,
    values: Uint8Array,
    count: number,
  ): { count: number; position: Uint8Array | undefined };
  bpfMapUpdateBatch(fd: Descriptor, keys: Uint8Array, values: Uint8Array, count: number): void;
  bpfPin(fd: Descriptor, path: string): void;
  bpfOpenPinned(path: string): Descriptor;

  /** Instructions of 8 bytes; type BPF_PROG_TYPE_*. */
  bpfProgramLoad(type: number, program: Uint8Array): Descriptor;
  bpfProgramId(fd: Descriptor): number;
  /** tcx alone: `type` is BPF_TCX_INGRESS or BPF_TCX_EGRESS. */
  bpfLinkCreate(program: Descriptor, interfaceIndex: number, type: number): Descriptor;
  bpfLinkUpdate(link: Descriptor, program: Descriptor): void;
  bpfLinkDetach(link: Descriptor): void;
  /** Interface 0: it has gone, or the link was detached. */
  bpfLinkInformation(link: Descriptor): { program: number; interface: number; type: number };
  /** `context` is a struct __sk_buff. */
  bpfTestRun(
    program: Descriptor,
    packet: Uint8Array,
    context: Uint8Array,
    repeat: number,
  ): { verdict: number; nanoseconds: number; packet: Uint8Array; context: Uint8Array };
  bpfRunLive(program: Descriptor, frame: Uint8Array, interfaceIndex: number, repeat: number, batch: number): void;

  /**
   * From here on through libbpf; where that is missing, Error with the code ENOLIBBPF.
   * Loads an ELF object. `errno` is 0, or why not, with `log` saying more; `constants` is the whole of .rodata.
   */
  bpfLoad(
    object: Uint8Array,
    name: string,
    constants: Uint8Array | undefined,
    maps: readonly NativeMapChoice[],
    programs: readonly string[] | undefined,
  ): { errno: number; log: string; maps: Record<string, Descriptor>; programs: Record<string, Descriptor> };
  /** Whether the kernel has this helper function (BPF_FUNC_*) for programs of this type. */
  bpfProbeHelper(type: number, helper: number): boolean;
  /** False: there was a clsact qdisc. */
  clsactCreate(interfaceIndex: number, egress: boolean): boolean;
  /** With all its filters. */
  clsactDestroy(interfaceIndex: number, egress: boolean): void;
  clsactReplace(interfaceIndex: number, egress: boolean, priority: number, handle: number, program: Descriptor): void;
  /** The program's number; undefined: no such filter, qdisc or interface. */
  clsactQuery(interfaceIndex: number, egress: boolean, priority: number, handle: number): number | undefined;
  clsactDelete(interfaceIndex: number, egress: boolean, priority: number, handle: number): void;
}

const path = fileURLToPath(new URL("../../build/evenkeel.node", import.meta.url));

function load(): NativeAddon {
  try {
    return createRequire(import.meta.url)(path) as NativeAddon;
  } catch (error) {
    throw new Error(`cannot load ${path}; scripts/build-addon builds it`, { cause: error });
  }
}

export const addon: NativeAddon = load();
export const constants: NativeAddon["constants"] = addon.constants;

/** Runs `call`; what the operating system refuses becomes a `SystemError` that says what was tried. */
export function attempt<T>(tried: string, call: () => T): T {
  try {
    return call();
  } catch (error) {
    if (isNativeFailure(error)) throw new SystemError(error, tried);
    throw error;
  }
}

/** False when the operating system refuses `work` with this code: what it is for is so already. @throws all other errors */
export function unless(code: string, work: () => void): boolean {
  try {
    work();
    return true;
  } catch (error) {
    if (error instanceof SystemError && error.code === code) return false;
    throw error;
  }
}

/** For an errno that arrived in another way than a failing call: a netlink answer, a watched socket. */
export function systemError(syscall: string, errno: number, tried: string, detail?: string): SystemError {
  return new SystemError({ syscall, errno, code: addon.errorName(errno), detail }, tried);
}

function isNativeFailure(error: unknown): error is Error & { syscall: string; errno: number; code: string } {
  return error instanceof Error && "syscall" in error && "errno" in error && "code" in error;
}
