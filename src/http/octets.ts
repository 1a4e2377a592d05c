/** Which octets may stand where (RFC 9110 §5.5, §5.6.2; RFC 3986), as tables, and octets to text. */

export const HTAB = 9;
export const LF = 10;
export const CR = 13;
export const SP = 32;
export const COLON = 58;
export const SEMICOLON = 59;

const table = (value: (octet: number) => number): Uint8Array =>
  Uint8Array.from({ length: 256 }, (_, octet) => value(octet));
const within = (text: string) => (octet: number) => text.includes(String.fromCharCode(octet));
const isAlphanumeric = (octet: number) => /[0-9A-Za-z]/.test(String.fromCharCode(octet));

const isTokenMark = within("!#$%&'*+-.^_`|~");

/** Of a token's octet its lower-case form, else 0. */
export const TOKEN: Uint8Array = table((octet) =>
  isAlphanumeric(octet) || isTokenMark(octet) ? String.fromCharCode(octet).toLowerCase().charCodeAt(0) : 0,
);

/** A field value, a reason phrase: 1 for HTAB, SP and visible ASCII, 2 for 0x80 and up, else 0. */
export const TEXT: Uint8Array = table((octet) =>
  octet >= 0x80 ? 2 : octet === HTAB || (octet >= SP && octet < 0x7f) ? 1 : 0,
);

/** A request target: 1 for visible ASCII but `#`, 2 for what only the leniency looseTarget lets through, else 0. */
export const TARGET: Uint8Array = table((octet) =>
  octet >= 0x80 || octet === 0x23 ? 2 : octet > SP && octet < 0x7f ? 1 : 0,
);

/** The value of a hexadecimal digit, else 255. */
export const HEX: Uint8Array = table((octet) => {
  const value = Number.parseInt(String.fromCharCode(octet), 16);
  return Number.isNaN(value) ? 255 : value;
});

const utf8 = new TextDecoder();

/** Latin-1 text. `ascii`: the caller saw no octet from 0x80, so the fast decoder gives the same. */
export function textOf(bytes: Uint8Array, from: number, to: number, ascii: boolean): string {
  if (ascii) return utf8.decode(bytes.subarray(from, to));
  let text = "";
  for (let at = from; at < to; at += 1024) {
    text += String.fromCharCode(...bytes.subarray(at, Math.min(at + 1024, to)));
  }
  return text;
}
