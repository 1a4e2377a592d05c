/** Sending datagrams to a unix socket such as /dev/log, unix(7). Never waits, never receives. */

import { addon, attempt, constants, SystemError } from "./addon.ts";
import { unixSockaddr } from "./sockaddr.ts";

export interface UnixDatagram {
  /** False when it could not be delivered now: nobody listens, the queue is full, the text is too long. */
  send(text: string): boolean;
  /** Safe to call twice. */
  close(): void;
}

/** Not connected: a receiver that is started again later is found again. @throws RangeError for a path too long */
export function openUnixDatagram(path: string): UnixDatagram {
  const address = unixSockaddr(path);
  const fd = attempt("open a unix datagram socket", () => addon.socket(constants.AF_UNIX, constants.SOCK_DGRAM, 0));
  const encoder = new TextEncoder();
  let open = true;
  return {
    send(text) {
      if (!open) return false;
      try {
        attempt(`send to ${path}`, () => addon.send(fd, encoder.encode(text), address));
        return true;
      } catch (error) {
        if (error instanceof SystemError) return false;
        throw error;
      }
    },
    close() {
      if (open) addon.close(fd);
      open = false;
    },
  };
}
