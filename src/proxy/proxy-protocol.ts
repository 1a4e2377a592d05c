/**
 * The line or block that tells a server whom a connection is for.
 *
 * proxy-protocol.txt (HAProxy), version 1 §2.1 and version 2 §2.2. Only writes, and only TCP; no TLVs.
 */

import { ByteWriter } from "../base/bytes.ts";
import { type IpAddress, ipToBytes, isIpv4 } from "../base/ip.ts";
import { latin1 } from "./error-page.ts";
import type { Endpoint } from "./port.ts";

const SIGNATURE = Uint8Array.of(0x0d, 0x0a, 0x0d, 0x0a, 0x00, 0x0d, 0x0a, 0x51, 0x55, 0x49, 0x54, 0x0a);
const VERSION_2_PROXY = 0x21;
const TCP_OVER_IPV4 = 0x11;
const TCP_OVER_IPV6 = 0x21;

export function proxyHeader(version: 1 | 2, source: Endpoint, destination: Endpoint): Uint8Array {
  const four = isIpv4(source.address) && isIpv4(destination.address);
  return version === 1 ? line(four, source, destination) : block(four, source, destination);
}

function line(four: boolean, source: Endpoint, destination: Endpoint): Uint8Array {
  const from = four ? source.address : mapped(source.address);
  const to = four ? destination.address : mapped(destination.address);
  return latin1(`PROXY ${four ? "TCP4" : "TCP6"} ${from} ${to} ${source.port} ${destination.port}\r\n`);
}

function block(four: boolean, source: Endpoint, destination: Endpoint): Uint8Array {
  const from = four ? ipToBytes(source.address) : ipToBytes(mapped(source.address));
  const to = four ? ipToBytes(destination.address) : ipToBytes(mapped(destination.address));
  const out = new ByteWriter(52);
  out.put(SIGNATURE).u8(VERSION_2_PROXY);
  out.u8(four ? TCP_OVER_IPV4 : TCP_OVER_IPV6).u16(from.length + to.length + 4);
  out.put(from).put(to).u16(source.port).u16(destination.port);
  return out.done();
}

/** Both addresses of a header are of one family. */
function mapped(address: IpAddress): IpAddress {
  return isIpv4(address) ? (`::ffff:${address}` as IpAddress) : address;
}
