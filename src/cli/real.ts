/** `evenkeel real`: makes this host a real server of a VIP, shows what was made, or takes it back. */

import { type IpAddress, parseIp } from "../base/ip.ts";
import { look, RealRefused, setUp, undo } from "../daemon/real/agent.ts";
import { alone, findRealPlace, makeRealPlace } from "../daemon/real/place.ts";
import { describe, remarks } from "../daemon/real/report.ts";
import { BpfLoadError, BpfMapMismatch } from "../sys/bpf.ts";

export interface RealCommandOptions {
  readonly vip?: readonly string[];
  readonly mode?: string;
  readonly interface?: readonly string[];
  /** false: `--no-mss`. */
  readonly mss?: string | boolean;
  readonly undo?: boolean;
  readonly json?: boolean;
}

/** Sets the exit status: 0 done, 1 could not be done, 2 wrong usage. */
export function real(options: RealCommandOptions): void {
  try {
    const vips = (options.vip ?? []).map(parseVip);
    const mode = parseMode(options.mode);
    const mss = parseMss(options.mss);
    const setting = [options.mode, options.interface, options.mss === true ? undefined : options.mss];
    if ((options.undo === true || vips.length === 0) && setting.some((one) => one !== undefined)) {
      throw new WrongUsage("--mode, --interface and --mss go with --vip, and not with --undo");
    }
    if (process.geteuid?.() !== 0) throw new RealRefused("pins and programs can be seen and changed by root only");
    let did: string[] = [];
    if (options.undo) {
      did = alone(() => undo(findRealPlace(), vips));
      if (did.length === 0) did = ["there was nothing to undo"];
    } else if (vips.length > 0) {
      did = alone(() => setUp(makeRealPlace(), { vips, mode, interfaces: options.interface, mss }));
      if (did.length === 0) did = ["everything was set up already"];
    }
    const report = look(findRealPlace());
    if (options.json) {
      process.stdout.write(`${JSON.stringify({ did, ...report, remarks: remarks(report) }, null, 2)}\n`);
      return;
    }
    const shown = vips.length === 0 && !options.undo ? describe(report) : did;
    const notes = options.undo ? [] : remarks(report).map((remark) => `note: ${remark}`);
    process.stdout.write([...shown, ...notes].map((line) => `${line}\n`).join(""));
  } catch (error) {
    process.exitCode = error instanceof WrongUsage ? 2 : 1;
    process.stderr.write(`evenkeel real: ${explain(error)}\n`);
  }
}

class WrongUsage extends Error {}

function parseVip(text: string): IpAddress {
  const address = parseIp(text);
  if (address === undefined) throw new WrongUsage(`--vip ${text}: an IPv4 or IPv6 address, without a length`);
  if (/^(0\.|127\.|22[4-9]\.|2[3-5][0-9]\.|::$|::1$|ff|fe[89ab])/.test(address)) {
    throw new WrongUsage(`--vip ${text}: not an address that a service can have`);
  }
  return address;
}

function parseMode(text: string | undefined): "dr" | "tun" {
  if (text === undefined || text === "dr") return "dr";
  if (text === "tun") return "tun";
  throw new WrongUsage(`--mode ${text}: dr or tun`);
}

function parseMss(value: string | boolean | undefined): number | "none" | undefined {
  if (value === undefined || value === true) return undefined;
  if (value === false) return "none";
  const mss = Number(value);
  if (!/^[0-9]{1,5}$/.test(value) || mss < 64 || mss > 65_495)
    throw new WrongUsage(`--mss ${value}: 64 to 65495 bytes`);
  return mss;
}

/** What somebody who is not root, or whose kernel is too old, can do about it. */
function explain(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : undefined;
  if (code === "EPERM" || code === "EACCES") return `${(error as Error).message}; this needs root`;
  if (error instanceof BpfMapMismatch) {
    return `${error.message}; undo it with the version that made it, then run this again`;
  }
  if (error instanceof BpfLoadError) return `${error.message}\nevenkeel doctor says what this kernel lacks`;
  if (error instanceof RealRefused || error instanceof WrongUsage || code !== undefined)
    return (error as Error).message;
  throw error;
}
