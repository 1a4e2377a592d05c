/**
 * Processes of the machine as they come and go: the kernel's proc connector, a descriptor for one process, and what /proc
 * says of one.
 *
 * The proc connector answers only to the first process and user namespaces, with CAP_NET_ADMIN, and only in the first
 * network namespace: a socket is opened there for a program that was started in another one.
 */

import { closeSync, openSync, readdirSync, readFileSync, readSync } from "node:fs";
import { ByteWriter } from "../base/bytes.ts";
import {
  CN_IDX_PROC,
  listenRequest,
  type ProcessEvent,
  parseProcessEvent,
  processEventFilter,
} from "../wire/proc-connector.ts";
import { addon, attempt, constants, type Descriptor, SystemError, systemError } from "./addon.ts";
import { enterNamespace } from "./namespaces.ts";
import { packFilter } from "./packet-socket.ts";
import { readBatch, WatchedSocket } from "./receive.ts";

const NETLINK_CONNECTOR = 11;
const EVENT_BYTES = 128;
const EVENTS_AT_ONCE = 256;
const BUFFER_BYTES = 1 << 20;

export interface ProcessEventHandlers {
  onEvents(events: readonly ProcessEvent[]): void;
  /** ENOBUFS: events were lost. */
  onLost(): void;
}

export class ProcessEvents {
  readonly #socket: WatchedSocket;

  /** @throws SystemError where the kernel does not tell this process: EPERM, ECONNREFUSED, EPROTONOSUPPORT */
  constructor(handlers: ProcessEventHandlers) {
    const fd = listenAnywhere();
    const size = { slotBytes: EVENT_BYTES, slots: EVENTS_AT_ONCE };
    try {
      this.#socket = new WatchedSocket(fd, "process events", size, {
        onReceived(received) {
          handlers.onEvents(received.flatMap(({ bytes }) => parseProcessEvent(bytes) ?? []));
        },
        onError: () => handlers.onLost(),
      });
    } catch (error) {
      addon.close(fd);
      throw error;
    }
  }

  /** Safe to call twice, and from within a handler. */
  close(): void {
    this.#socket.close();
  }
}

function listenAnywhere(): Descriptor {
  try {
    return listen();
  } catch (error) {
    if (!(error instanceof SystemError) || error.code !== "ECONNREFUSED") throw error;
    const home = openSync("/proc/self/ns/net", "r");
    try {
      return inFirstNetwork(home) ?? raise(error);
    } finally {
      closeSync(home);
    }
  }
}

function inFirstNetwork(home: Descriptor): Descriptor | undefined {
  try {
    enterNamespace("/proc/1/ns/net", "net");
  } catch {
    return undefined;
  }
  try {
    return listen();
  } finally {
    enterNamespace(`/proc/self/fd/${home}`, "net");
  }
}

function raise(error: Error): never {
  throw error;
}

const OUTSIDE = "the kernel tells only programs in its first process and user namespaces";
const TRIED = "be told of processes";

function listen(): Descriptor {
  const { AF_NETLINK, SOCK_DGRAM, SOL_SOCKET, SO_RCVBUFFORCE } = constants;
  const fd = attempt(TRIED, () => addon.socket(AF_NETLINK, SOCK_DGRAM, NETLINK_CONNECTOR));
  try {
    const answered = attempt(TRIED, () => {
      addon.setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, BUFFER_BYTES);
      addon.attachFilter(fd, packFilter(processEventFilter()));
      addon.bind(fd, connectorAddress(CN_IDX_PROC));
      addon.send(fd, listenRequest(), connectorAddress(0));
      return addon.receive(fd, EVENT_BYTES, EVENTS_AT_ONCE);
    });
    expectAnswer(answered);
    return fd;
  } catch (error) {
    addon.close(fd);
    throw error;
  }
}

/** The kernel answers while the request is sent, or, outside the first namespaces, not at all. */
function expectAnswer(batch: ArrayBuffer | undefined): void {
  const events = batch === undefined ? [] : readBatch(batch).map(({ bytes }) => parseProcessEvent(bytes));
  const answer = events.find((event) => event?.type === "answer");
  if (answer?.type !== "answer") throw systemError("connector", constants.EAGAIN, TRIED, OUTSIDE);
  if (answer.errno !== 0) throw systemError("connector", answer.errno, TRIED);
}

/** sockaddr_nl: the kernel, or for bind any port, and groups. */
const connectorAddress = (groups: number): Uint8Array =>
  new ByteWriter(12).hostU16(constants.AF_NETLINK).zeros(2).hostU32(0).hostU32(groups).done();

/** Calls back once when the process has ended; `close` forgets it. */
export class ProcessEnd {
  readonly #fd: Descriptor;
  readonly #watch: number;
  #open = true;

  /** @throws SystemError ESRCH when it has ended already */
  constructor(pid: number, ended: () => void) {
    const tried = `watch process ${pid}`;
    this.#fd = attempt(tried, () => addon.pidfdOpen(pid));
    try {
      this.#watch = attempt(tried, () =>
        // It becomes readable, and there is nothing to receive from what is no socket.
        addon.watch(this.#fd, 1, 1, () => {
          this.close();
          ended();
        }),
      );
    } catch (error) {
      addon.close(this.#fd);
      throw error;
    }
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    addon.unwatch(this.#watch);
    addon.close(this.#fd);
  }
}

/** Process ids in /proc now; none when it cannot be read. */
export function listProcesses(): number[] {
  try {
    return readdirSync("/proc")
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return [];
  }
}

/** At most 15 bytes. Undefined: it has ended, a zombie included. */
export function processName(pid: number): string | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, "latin1");
    const end = text.lastIndexOf(")");
    return /^ [ZXx]/.test(text.slice(end + 1)) ? undefined : text.slice(text.indexOf("(") + 1, end);
  } catch {
    return undefined;
  }
}

/** Longest command line that is compared. */
const COMMAND_LINE_BYTES = 4096;

/** Empty for a kernel thread. */
export function commandLine(pid: number): readonly string[] {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(`/proc/${pid}/cmdline`, "r");
    const bytes = new Uint8Array(COMMAND_LINE_BYTES);
    const length = readSync(descriptor, bytes, 0, COMMAND_LINE_BYTES, null);
    const words = new TextDecoder("latin1").decode(bytes.subarray(0, length)).split("\0");
    if (words.at(-1) === "") words.pop();
    return words;
  } catch {
    return [];
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
