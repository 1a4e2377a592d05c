/** `evenkeel doctor`: what is here, which piece is missing, and the cure; for a balancer, a real server, or as found. */

import { type IpAddress, parseIp } from "../base/ip.ts";
import type { Facts } from "../daemon/doctor/facts.ts";
import { exitStatus, type Finding, type Section } from "../daemon/doctor/finding.ts";
import { gather } from "../daemon/doctor/gather.ts";
import { judgeBalancer } from "../daemon/doctor/judge-balancer.ts";
import { judgeMachine } from "../daemon/doctor/judge-machine.ts";
import { judgeReal, type RealQuestion, realVips } from "../daemon/doctor/judge-real.ts";
import { readPlaneFacts } from "../daemon/doctor/plane-facts.ts";

export interface DoctorOptions {
  readonly vip?: readonly string[];
  readonly mode?: string;
  readonly port?: string;
  readonly json?: boolean;
}

/** Sets the exit status: 0 all is there, 1 something is missing, 2 wrong usage or nothing could be looked at. */
export async function doctor(side: string | undefined, options: DoctorOptions): Promise<void> {
  try {
    const question = parse(side, options);
    const facts = await gather(readPlaneFacts);
    const sections = examine(facts, question);
    process.exitCode = exitStatus(sections);
    const terminal = process.stdout.isTTY === true;
    const text = options.json
      ? `${JSON.stringify({ exit: process.exitCode, sections, facts }, null, 2)}\n`
      : sectionsText(sections, {
          colour: terminal && process.env.NO_COLOR === undefined,
          width: terminal ? process.stdout.columns : undefined,
        });
    process.stdout.write(text);
  } catch (error) {
    process.exitCode = 2;
    process.stderr.write(`evenkeel doctor: ${error instanceof Error ? error.message : error}\n`);
  }
}

interface Question extends RealQuestion {
  readonly side: "balancer" | "real" | undefined;
}

function parse(side: string | undefined, options: DoctorOptions): Question {
  if (side !== undefined && side !== "balancer" && side !== "real") throw new Error(`${side}: balancer or real`);
  const vips = (options.vip ?? []).map((text): IpAddress => {
    const address = parseIp(text);
    if (address === undefined) throw new Error(`--vip ${text}: an IPv4 or IPv6 address`);
    return address;
  });
  const { mode } = options;
  if (mode !== undefined && mode !== "dr" && mode !== "tun" && mode !== "redirect") {
    throw new Error(`--mode ${mode}: dr, tun or redirect`);
  }
  const port = options.port === undefined ? undefined : Number(options.port);
  if (port !== undefined && !(Number.isInteger(port) && port >= 1 && port <= 65_535)) {
    throw new Error(`--port ${options.port}: 1 to 65535`);
  }
  return { side, vips, mode, port };
}

/** A side that nobody asked for is shown when this host is seen to be on it. */
export function examine(facts: Facts, { side, ...question }: Question): Section[] {
  const seen = realVips(facts).filter((vip) => question.vips.length === 0 || question.vips.includes(vip));
  const services = (facts.plane?.services.length ?? 0) > 0;
  const asReal =
    side === "real" || (side === undefined && (seen.length > 0 || (!services && question.vips.length > 0)));
  const asBalancer = side === "balancer" || (side === undefined && (services || !asReal));
  const vips = question.vips.length > 0 ? question.vips : seen;
  return [
    { title: "machine", findings: judgeMachine(facts) },
    ...(asBalancer ? [{ title: "balancer" as const, findings: judgeBalancer(facts, question.vips) }] : []),
    ...(asReal ? [{ title: "real server" as const, findings: judgeReal(facts, { ...question, vips }) }] : []),
  ];
}

const COLOURS = { ok: "32", note: "33", missing: "1;31" } as const;
const LEVEL_WIDTH = "missing".length;
const MOST_SUBJECT_WIDTH = 40;

/** A finding is one line, and one more for its cure; on a terminal (`width`) long ones go on below, indented. */
export function sectionsText(
  sections: readonly Section[],
  { colour, width }: { readonly colour: boolean; readonly width: number | undefined },
): string {
  const all = sections.flatMap(({ findings }) => findings);
  const subjectWidth = Math.min(MOST_SUBJECT_WIDTH, Math.max(...all.map(({ subject }) => subject.length)));
  const margin = " ".repeat(LEVEL_WIDTH + subjectWidth + 4);
  const paint = (text: string, code: string) => (colour ? `\x1b[${code}m${text}\x1b[0m` : text);
  const block = ({ level, subject, says, cure }: Finding): string[] => {
    const [first = "", ...rest] = wrapped(says, width, margin.length);
    const fits = subject.length <= subjectWidth;
    const head = `${paint(level.padEnd(LEVEL_WIDTH), COLOURS[level])}  ${subject.padEnd(subjectWidth)}`;
    const cures = cure === undefined ? [] : wrapped(`cure: ${cure}`, width, margin.length);
    return [
      ...(fits ? [`${head}  ${first}`] : [head, `${margin}${first}`]),
      ...[...rest, ...cures].map((line) => `${margin}${line}`),
    ];
  };
  return sections
    .map(({ title, findings }) => [paint(title.toUpperCase(), "1"), ...findings.flatMap(block)].join("\n"))
    .join("\n\n")
    .concat("\n");
}

/** A word that is longer than the line stays whole. */
function wrapped(text: string, width: number | undefined, margin: number): string[] {
  if (width === undefined) return [text];
  const room = Math.max(24, width - margin);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
