/**
 * The kernel's process events, <linux/cn_proc.h> over <linux/connector.h>: forks, execs, changed names and ends of whole
 * processes. Threads are left out; other events are undefined here. Integers are in the machine's order, little-endian.
 */

export const CN_IDX_PROC = 1;
const CN_VAL_PROC = 1;

export type ProcessEvent =
  /** The kernel's answer to `listenRequest`; 0 or an errno. */
  | { readonly type: "answer"; readonly errno: number }
  | { readonly type: "fork"; readonly parent: number; readonly child: number }
  | { readonly type: "exec"; readonly pid: number }
  | { readonly type: "name"; readonly pid: number; readonly name: string }
  | { readonly type: "exit"; readonly pid: number };

const NONE = 0;
const FORK = 1;
const EXEC = 2;
const COMM = 0x200;
const EXIT = 0x8000_0000;

/** Offsets in a datagram: nlmsghdr (16), cn_msg (20), proc_event. */
const WHAT = 36;
const DATA = 52;
/** parent_pid, parent_tgid, child_pid, child_tgid. */
const FORK_DATA_BYTES = 16;

const NLMSG_DONE = 3;
const PROC_CN_MCAST_LISTEN = 1;

/** The datagram that asks for events: nlmsghdr, cn_msg and the operation. */
export function listenRequest(): Uint8Array {
  const view = new DataView(new ArrayBuffer(40));
  view.setUint32(0, 40, true);
  view.setUint16(4, NLMSG_DONE, true);
  view.setUint32(16, CN_IDX_PROC, true);
  view.setUint32(20, CN_VAL_PROC, true);
  view.setUint16(32, 4, true);
  view.setUint32(36, PROC_CN_MCAST_LISTEN, true);
  return new Uint8Array(view.buffer);
}

export function parseProcessEvent(bytes: Uint8Array): ProcessEvent | undefined {
  if (bytes.length < DATA + FORK_DATA_BYTES) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const word = (at: number): number => view.getUint32(at, true);
  if (word(16) !== CN_IDX_PROC || word(20) !== CN_VAL_PROC) return undefined;
  const [first, leader] = [word(DATA), word(DATA + 4)];
  switch (word(WHAT)) {
    case NONE:
      return { type: "answer", errno: first };
    case FORK: {
      const [child, childLeader] = [word(DATA + 8), word(DATA + 12)];
      return child === childLeader ? { type: "fork", parent: leader, child } : undefined;
    }
    case EXEC:
      return { type: "exec", pid: leader };
    case COMM:
      return first === leader ? { type: "name", pid: leader, name: nameAt(bytes, DATA + 8) } : undefined;
    case EXIT:
      return first === leader ? { type: "exit", pid: leader } : undefined;
    default:
      return undefined;
  }
}

const NAME_BYTES = 16;

function nameAt(bytes: Uint8Array, at: number): string {
  const field = bytes.subarray(at, at + NAME_BYTES);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}

// ---- what the kernel need not even hand over

const LOAD_WORD = 0x20;
const TO_INDEX = 0x07;
const JUMP_IF_EQUAL = 0x15;
const JUMP_IF_EQUAL_INDEX = 0x1d;
const RETURN = 0x06;

/** A classic BPF program (code, jump if true, jump if false, value) that lets through what `parseProcessEvent` knows. */
export function processEventFilter(): readonly (readonly [number, number, number, number])[] {
  // Loads are in network order; a constant is turned round, two loaded words need not be.
  const turned = (value: number): number => new DataView(new Uint32Array([value]).buffer).getUint32(0, false);
  return [
    [LOAD_WORD, 0, 0, WHAT],
    [JUMP_IF_EQUAL, 12, 0, turned(NONE)],
    [JUMP_IF_EQUAL, 11, 0, turned(EXEC)],
    [JUMP_IF_EQUAL, 6, 0, turned(FORK)],
    [JUMP_IF_EQUAL, 1, 0, turned(COMM)],
    [JUMP_IF_EQUAL, 0, 9, turned(EXIT)],
    [LOAD_WORD, 0, 0, DATA],
    [TO_INDEX, 0, 0, 0],
    [LOAD_WORD, 0, 0, DATA + 4],
    [JUMP_IF_EQUAL_INDEX, 4, 5, 0],
    [LOAD_WORD, 0, 0, DATA + 8],
    [TO_INDEX, 0, 0, 0],
    [LOAD_WORD, 0, 0, DATA + 12],
    [JUMP_IF_EQUAL_INDEX, 0, 1, 0],
    [RETURN, 0, 0, 0xffff],
    [RETURN, 0, 0, 0],
  ];
}
