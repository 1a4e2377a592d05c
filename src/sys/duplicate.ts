/** A second descriptor for an open socket: what dup(2) does, by way of SCM_RIGHTS, unix(7). */

import { addon, attempt, constants, type Descriptor } from "./addon.ts";
import { readBatch } from "./receive.ts";

/** Close-on-exec. @throws SystemError EMFILE */
export function duplicate(descriptor: Descriptor): Descriptor {
  return attempt(`duplicate descriptor ${descriptor}`, () => {
    const [from, to] = addon.socketpair(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0);
    try {
      addon.send(from, Uint8Array.of(0), undefined, undefined, [descriptor]);
      const batch = addon.receive(to, 1, 1);
      const [copy] = batch === undefined ? [] : (readBatch(batch)[0]?.descriptors ?? []);
      if (copy === undefined) throw new Error("a descriptor sent to oneself did not arrive");
      return copy;
    } finally {
      addon.close(from);
      addon.close(to);
    }
  });
}
