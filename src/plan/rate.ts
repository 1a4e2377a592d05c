/** Speeds as people write them, `1Gbit`, `1.5 Gbps`, `100M`, in decimal units of bit/s; and back. */

import { fail, ok, type Result } from "../base/result.ts";

const SCALE: Readonly<Record<string, number>> = { "": 1, k: 1e3, m: 1e6, g: 1e9, t: 1e12 };
const SHAPES = "write 1Gbit, 1.5Gbit/s, 10Gbps, 100M or 2500000 (bit/s)";

/** Bits per second. Prefixes k, M, G, T in either case; `bit`, `bit/s`, `b/s`, `bps` may follow. Bytes are refused. */
export function parseRate(text: string): Result<number, string> {
  const match = /^([0-9]+(?:\.[0-9]+)?|\.[0-9]+)[ \t]*([kKmMgGtT]?)(i?)([A-Za-z/]*)$/.exec(text.trim());
  if (match === null) return fail(`"${text}" is no speed: ${SHAPES}`);
  const [, digits = "", prefix = "", binary = "", rest = ""] = match;
  if (binary !== "") return fail(`"${text}": links count in thousands, not in 1024s; ${SHAPES}`);
  if (/^(B|Bps|B\/s|[Bb]ytes?.*)$/.test(rest)) {
    return fail(`"${text}" counts bytes; links are measured in bits, 8 to a byte: ${SHAPES}`);
  }
  if (!/^(|b|bits?|bps|b\/s|bits?\/s|bits?ps)$/i.test(rest)) return fail(`"${text}" has an unknown unit: ${SHAPES}`);
  const rate = Number(digits) * (SCALE[prefix.toLowerCase()] ?? 1);
  if (!(rate > 0) || rate > 1e18) return fail(`"${text}": a speed is more than 0 and at most 10^18 bit/s`);
  return ok(rate);
}

/** `1.5 Gbit/s`, with at most `digits` significant digits. */
export function formatRate(rate: number, digits = 4): string {
  const [unit, scale] =
    (
      [
        ["Tbit/s", 1e12],
        ["Gbit/s", 1e9],
        ["Mbit/s", 1e6],
        ["kbit/s", 1e3],
      ] as const
    ).find(([, one]) => rate >= one * (1 - 1e-9)) ?? (["bit/s", 1] as const);
  return `${Number((rate / scale).toPrecision(digits))} ${unit}`;
}

/** `75 %`; as many decimals as tell it from 100. */
export const formatShare = (share: number): string => `${Number((share * 100).toPrecision(4))} %`;
