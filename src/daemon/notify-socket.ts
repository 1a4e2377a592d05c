/**
 * What a service manager is told: sd_notify(3), a datagram to the socket that NOTIFY_SOCKET names. Nothing without one;
 * `@name` is an abstract socket.
 */

import { openUnixDatagram } from "../sys/unix-datagram.ts";

export type ServiceState = "READY=1" | "RELOADING=1" | "STOPPING=1" | `MAINPID=${number}` | `STATUS=${string}`;

/** False: nobody was there to be told. */
export function tellServiceManager(...states: ServiceState[]): boolean {
  const path = process.env.NOTIFY_SOCKET;
  if (path === undefined || !/^[/@]./.test(path)) return false;
  const lines: string[] = [...states];
  // systemd(1) wants to know when a reload began, on the clock that it compares with.
  if (states.includes("RELOADING=1")) lines.push(`MONOTONIC_USEC=${process.hrtime.bigint() / 1_000n}`);
  const socket = openUnixDatagram(path);
  const sent = socket.send(lines.join("\n"));
  socket.close();
  return sent;
}

/** A reload with the service manager told of its beginning and its end. */
export async function reloadTold(
  supervisor: { reload(cause: string): Promise<unknown> },
  cause: string,
): Promise<void> {
  tellServiceManager("RELOADING=1");
  await supervisor.reload(cause);
  tellServiceManager("READY=1");
}
