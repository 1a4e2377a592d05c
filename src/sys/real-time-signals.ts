/** Signals without a name in Node: real-time signals, signal(7). Those with a name are listened to with `process.on`. */

import { addon, attempt, constants } from "./addon.ts";
import { WatchedSocket } from "./receive.ts";

/** With glibc, which keeps 32 and 33 for itself; SIGRTMAX is 64. */
export const SIGRTMIN = 34;
export const SIGRTMAX = 64;

/** keepalived's: JSON, and statistics that are cleared. */
export const DUMP_SIGNALS = [SIGRTMIN + 2, SIGRTMAX - 1] as const;

/** Calls back with each of `signals` that arrives from now on, until the process ends. */
export function onRealTimeSignals(signals: readonly number[], callback: (signal: number) => void): void {
  const [reading, writing] = attempt("open a pair of sockets for signals", () =>
    addon.socketpair(constants.AF_UNIX, constants.SOCK_DGRAM, 0),
  );
  new WatchedSocket(
    reading,
    "signals",
    { slotBytes: 1, slots: 8 },
    {
      onReceived: (received) => {
        for (const { bytes } of received) if (bytes[0] !== undefined) callback(bytes[0]);
      },
      onError: () => undefined,
    },
  );
  for (const signal of signals) attempt(`catch signal ${signal}`, () => addon.catchSignal(signal, writing));
}
