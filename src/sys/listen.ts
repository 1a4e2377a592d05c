/**
 * Listening sockets as descriptors, for a supervisor that opens them and hands them to its children.
 *
 * They are close-on-exec; a descriptor named in `stdio` of `child_process.spawn` is inherited all the same.
 */

import { chmodSync, renameSync, rmSync } from "node:fs";
import { pid } from "node:process";
import { type IpAddress, isIpv4, isIpv6 } from "../base/ip.ts";
import { addon, attempt, constants, type Descriptor } from "./addon.ts";
import { inetSockaddr, unixSockaddr } from "./sockaddr.ts";

export interface TcpListenOptions {
  /** `0.0.0.0` and `::` are every address. */
  readonly address: IpAddress;
  /** 0: the kernel chooses. */
  readonly port: number;
  readonly backlog?: number | undefined;
  /** IPv6: does not take IPv4 connections as well. True when missing. */
  readonly v6only?: boolean | undefined;
  /** Takes connections from this interface alone. */
  readonly interface?: string | undefined;
  /** May listen on an address that the machine does not have (a VIP that is elsewhere). Needs no privilege. */
  readonly freebind?: boolean | undefined;
  /** IP_TRANSPARENT: may take connections to foreign addresses. Needs CAP_NET_ADMIN. */
  readonly transparent?: boolean | undefined;
  /** Several sockets share the port. */
  readonly reusePort?: boolean | undefined;
}

/** HAProxy's default backlog: what the kernel caps at net.core.somaxconn anyway. */
const BACKLOG = 4096;

/** @throws SystemError EADDRINUSE, EADDRNOTAVAIL, EACCES (port below 1024), ENODEV */
export function listenTcp(options: TcpListenOptions): Descriptor {
  const { address, port } = options;
  const place = isIpv4(address) ? `${address}:${port}` : `[${address}]:${port}`;
  return attempt(`listen on ${place}`, () => {
    const family = isIpv4(address) ? constants.AF_INET : constants.AF_INET6;
    const fd = addon.socket(family, constants.SOCK_STREAM, 0);
    try {
      setListenOptions(fd, options);
      addon.bind(fd, inetSockaddr(address, port));
      addon.listen(fd, options.backlog ?? BACKLOG);
      return fd;
    } catch (error) {
      addon.close(fd);
      throw error;
    }
  });
}

function setListenOptions(fd: Descriptor, options: TcpListenOptions): void {
  const socket = (name: number, value: number | Uint8Array) => addon.setsockopt(fd, constants.SOL_SOCKET, name, value);
  socket(constants.SO_REUSEADDR, 1);
  if (options.reusePort) socket(constants.SO_REUSEPORT, 1);
  if (options.interface !== undefined) {
    socket(constants.SO_BINDTODEVICE, new TextEncoder().encode(options.interface));
  }
  const v6 = isIpv6(options.address);
  if (v6) addon.setsockopt(fd, constants.IPPROTO_IPV6, constants.IPV6_V6ONLY, options.v6only === false ? 0 : 1);
  const level = v6 ? constants.IPPROTO_IPV6 : constants.IPPROTO_IP;
  if (options.freebind) addon.setsockopt(fd, level, v6 ? constants.IPV6_FREEBIND : constants.IP_FREEBIND, 1);
  if (options.transparent) {
    addon.setsockopt(fd, level, v6 ? constants.IPV6_TRANSPARENT : constants.IP_TRANSPARENT, 1);
  }
}

/** Says whether another socket of this user may listen on a port that overlaps. Only those that say so at the time count. */
export function sharePort(fd: Descriptor, share: boolean): void {
  attempt(`share the port of descriptor ${fd}`, () =>
    addon.setsockopt(fd, constants.SOL_SOCKET, constants.SO_REUSEPORT, share ? 1 : 0),
  );
}

/**
 * Listens on a path and takes the place of what is there in one step, so that a client finds the old or the new one.
 * @param mode of the file, as in 0o660
 * @throws SystemError, or node's own error for the file's mode and place; RangeError for a path too long
 */
export function listenUnix(path: string, mode: number, backlog = BACKLOG): Descriptor {
  const temporary = `${path}.${pid}`;
  const address = unixSockaddr(temporary);
  rmSync(temporary, { force: true });
  const fd = attempt(`listen on ${path}`, () => addon.socket(constants.AF_UNIX, constants.SOCK_STREAM, 0));
  try {
    attempt(`listen on ${path}`, () => addon.bind(fd, address));
    chmodSync(temporary, mode);
    attempt(`listen on ${path}`, () => addon.listen(fd, backlog));
    renameSync(temporary, path);
    return fd;
  } catch (error) {
    addon.close(fd);
    rmSync(temporary, { force: true });
    throw error;
  }
}

/** Closes a descriptor that `listenTcp` or `listenUnix` gave. */
export function closeDescriptor(fd: Descriptor): void {
  attempt(`close descriptor ${fd}`, () => addon.close(fd));
}
