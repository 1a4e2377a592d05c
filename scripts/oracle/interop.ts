/**
 * Writes docs/internals/interop.md: every case of test/support/interop-cases.ts in both roles, with what each side logged.
 *
 *   npm run interop
 */

import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { INTEROP_ROLES, type InteropRole, playInteropCase, SIDES } from "../../test/support/interop.ts";
import { INTEROP_CASES } from "../../test/support/interop-cases.ts";

const PAGE = fileURLToPath(new URL("../../docs/internals/interop.md", import.meta.url));

const HEAD = `# evenkeel beside keepalived 2.2.7

Every case was run with Debian's keepalived on one side and evenkeel on the other, in both roles; router a is the better one
(priority 150 against 100 unless the case says otherwise). tshark found every advert of every run well formed, its checksum
good and its TTL or hop limit 255. The cases are \`test/support/interop-cases.ts\`, \`npm test\` runs them, and \`npm run interop\`
writes this page. Logs are of the last start of each side, without times and without lines about gratuitous ARP.
`;

/** Without the time in front; what both say of themselves at a start says nothing about the case. */
function linesOf(output: string): string[] {
  const lines = output.split("\n").map((line) => line.replace(/^\w{3} \w{3} +\d+ [\d:]{8} \d{4}: /, ""));
  const told = lines.filter(
    (line) => /^(\(|VRRP_Group|Netlink reports|Reload)/.test(line) && !/ARP|advert interval/i.test(line),
  );
  return told.filter((line, at) => line !== told[at - 1]);
}

const fenced = (output: string): string => ["```", ...linesOf(output), "```"].join("\n");

async function play(index: number, roles: InteropRole): Promise<string> {
  const one = INTEROP_CASES[index];
  if (one === undefined) throw new Error(`there is no case ${index}`);
  process.stderr.write(`${one.name}: ${roles.a} beside ${roles.b}\n`);
  const said = await playInteropCase(one, roles);
  return [
    `### a is ${roles.a}, b is ${roles.b}: passed`,
    `a (${roles.a}) said:\n\n${fenced(said.a)}`,
    `b (${roles.b}) said:\n\n${fenced(said.b)}`,
  ].join("\n\n");
}

const table = [
  "| Case | Result, in both roles |",
  "|---|---|",
  ...INTEROP_CASES.map((one) => `| ${one.name} | ${one.result} |`),
];
const sections: string[] = [];
for (const [index, { name, result, configuration }] of INTEROP_CASES.entries()) {
  const file = configuration(SIDES[0]).trimEnd();
  const runs: string[] = [];
  for (const roles of INTEROP_ROLES) runs.push(await play(index, roles));
  sections.push(`## ${name}`, result, ["Router a:\n\n```", file, "```"].join("\n"), ...runs);
}
writeFileSync(PAGE, `${[HEAD.trimEnd(), table.join("\n"), ...sections].join("\n\n")}\n`);
