/** Reads classic pcap files (little-endian, microseconds, Ethernet) as tcpdump writes them. Throws on anything else. */

import { readFileSync } from "node:fs";
import { ByteReader } from "../../src/base/bytes.ts";

export interface CapturedFrame {
  /** Microseconds since 1970. */
  readonly at: number;
  readonly bytes: Uint8Array;
}

const MAGIC = 0xa1b2c3d4;
const ETHERNET = 1;

export function readPcap(file: string | URL): CapturedFrame[] {
  const reader = new ByteReader(new Uint8Array(readFileSync(file)));
  if (reader.hostU32() !== MAGIC) throw new Error(`${file}: not a little-endian pcap file with microseconds`);
  reader.take(16);
  if (reader.hostU32() !== ETHERNET) throw new Error(`${file}: not a capture of Ethernet frames`);
  const frames: CapturedFrame[] = [];
  while (reader.remaining > 0) {
    const at = reader.hostU32() * 1_000_000 + reader.hostU32();
    const length = reader.hostU32();
    if (reader.hostU32() !== length) throw new Error(`${file}: frame ${frames.length + 1} was cut short`);
    frames.push({ at, bytes: reader.take(length) });
  }
  if (reader.truncated) throw new Error(`${file}: ends within a frame`);
  return frames;
}
