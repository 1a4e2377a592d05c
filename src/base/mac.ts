/** Ethernet addresses as canonical text: six lower-case hexadecimal pairs with colons. */

declare const mac: unique symbol;

export type MacAddress = string & { readonly [mac]: true };

export const BROADCAST_MAC = "ff:ff:ff:ff:ff:ff" as MacAddress;

export function macFromBytes(bytes: Uint8Array, offset = 0): MacAddress {
  return Array.from(bytes.subarray(offset, offset + 6), (byte) => byte.toString(16).padStart(2, "0")).join(
    ":",
  ) as MacAddress;
}

export const macToBytes = (address: MacAddress): Uint8Array =>
  Uint8Array.from(address.split(":"), (pair) => Number.parseInt(pair, 16));
