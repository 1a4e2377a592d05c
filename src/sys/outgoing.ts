/**
 * Sockets that speak first from a given address, port, interface or with a firewall mark: what a health check needs and
 * node:net has no option for. SO_BINDTODEVICE, SO_MARK and bind(2) come before connect(2); socket(7).
 */

import { createSocket, type Socket as DatagramSocket } from "node:dgram";
import { Socket } from "node:net";
import { type IpAddress, isIpv4 } from "../base/ip.ts";
import { addon, attempt, constants, type Descriptor } from "./addon.ts";
import { inetSockaddr } from "./sockaddr.ts";

export interface Outgoing {
  readonly address: IpAddress;
  readonly port: number;
  readonly source?: IpAddress | undefined;
  readonly sourcePort?: number | undefined;
  readonly interface?: string | undefined;
  readonly mark?: number | undefined;
}

/** Begins to connect; `connect` or `error` follow. @throws SystemError when an option or the source is refused */
export function connectStream(to: Outgoing): Socket {
  const socket = isPlain(to)
    ? new Socket()
    : // Reading begins with the connection, not before it.
      new Socket({ fd: prepared(to, constants.SOCK_STREAM, 0), manualStart: true } as ConstructorParameters<
        typeof Socket
      >[0]);
  socket.setNoDelay(true);
  return socket.connect({ host: to.address, port: to.port });
}

/** `connect` follows once it is bound and connected: from then on the peer's ICMP errors arrive as `error`. @throws SystemError */
export function connectDatagram(to: Outgoing): DatagramSocket {
  const socket = createSocket(isIpv4(to.address) ? "udp4" : "udp6");
  const connect = () => socket.connect(to.port, to.address);
  if (isPlain(to)) connect();
  else socket.bind({ fd: prepared(to, constants.SOCK_DGRAM, 0) }, connect);
  return socket;
}

/** Bound and marked as asked, not connected. The caller owns it. @throws SystemError EPERM, ENODEV, EADDRNOTAVAIL, … */
export function prepared(to: Outgoing, type: number, protocol: number): Descriptor {
  const family = isIpv4(to.address) ? constants.AF_INET : constants.AF_INET6;
  const fd = attempt(`open a socket to ${to.address}`, () => addon.socket(family, type, protocol));
  try {
    attempt(`set up a socket to ${to.address}`, () => configure(fd, to));
  } catch (error) {
    addon.close(fd);
    throw error;
  }
  return fd;
}

function configure(fd: Descriptor, to: Outgoing): void {
  if (to.interface !== undefined)
    addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_BINDTODEVICE, new TextEncoder().encode(to.interface));
  if (to.mark !== undefined) addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_MARK, to.mark | 0);
  if (to.source === undefined && to.sourcePort === undefined) return;
  // The connection before from this port may still be in TIME_WAIT.
  if (to.sourcePort !== undefined) addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_REUSEADDR, 1);
  const any = (isIpv4(to.address) ? "0.0.0.0" : "::") as IpAddress;
  addon.bind(fd, inetSockaddr(to.source ?? any, to.sourcePort ?? 0));
}

const isPlain = ({ source, sourcePort, interface: device, mark }: Outgoing): boolean =>
  source === undefined && sourcePort === undefined && device === undefined && mark === undefined;
