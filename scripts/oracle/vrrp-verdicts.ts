/**
 * Asks keepalived 2.2.7 about every case of test/fixtures/keepalived/verdicts-vrrp.md, and says where the page differs.
 *
 *   node scripts/oracle/vrrp-verdicts.ts [--write]
 *
 * Each case runs in namespaces of its own with the interfaces eth0, eth1 and eth2. With --write the page becomes what was
 * answered; what evenkeel says is filled in as well and has to be looked at.
 */

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { dumpedInstances } from "../../test/support/keepalived-vrrp-dump.ts";
import { peerPath } from "../../test/support/peers.ts";
import { type VrrpVerdict, verdictOf, verdictsIn, verdictsPage } from "../../test/support/vrrp-verdicts.ts";

const PAGE = fileURLToPath(new URL("../../test/fixtures/keepalived/verdicts-vrrp.md", import.meta.url));
const CLASSES: Readonly<Record<string, VrrpVerdict["keepalived"]>> = { 0: "ok", 6: "ok", 5: "warning", 2: "error" };

const SCRIPT = `
ip link set lo up
for i in 0 1 2; do ip link add eth$i type veth peer name p$i; ip link set eth$i up; ip link set p$i up; done
ip addr add 10.0.0.250/24 dev eth0; ip addr add 10.1.0.250/24 dev eth1
mount -t tmpfs none /run
"$1" -t -f "$2" > "$3/said" 2>&1; echo $? > "$3/code"
"$1" -P -n -l -d -f "$2" > "$3/dump" 2>&1 &
for i in 1 2 3 4 5 6 7 8 9 10; do sleep 0.1; grep -q 'Interfaces >' "$3/dump" && break; done
`;

function ask(text: string, folder: string): Pick<VrrpVerdict, "keepalived" | "said" | "dump"> {
  const file = join(folder, "case.conf");
  writeFileSync(file, text);
  const options = ["-rnmpf", "--kill-child", "sh", "-c", SCRIPT, "sh", peerPath("keepalived"), file, folder];
  spawnSync("unshare", options, { stdio: "ignore" });
  const read = (name: string) => readFileSync(join(folder, name), "utf8");
  const said = read("said")
    .split("\n")
    .filter((line) => line !== "" && !line.startsWith("SECURITY VIOLATION"))
    .map((line) => line.replace(`(${file}: `, "("));
  const dump = dumpedInstances(read("dump"));
  return { keepalived: CLASSES[read("code").trim()] ?? "crash", said: [...new Set(said)], dump };
}

const folder = mkdtempSync(join(tmpdir(), "verdicts-"));
try {
  const before = readFileSync(PAGE, "utf8");
  const [head = ""] = before.split(/^### /m, 1);
  const cases = verdictsIn(before).map(
    (one): VrrpVerdict => ({ ...one, ...ask(one.text, folder), ...verdictOf(one.text) }),
  );
  const after = verdictsPage(head, cases);
  if (process.argv.includes("--write")) writeFileSync(PAGE, after);
  else if (after !== before) {
    process.exitCode = 1;
    console.error("the page differs: look at what --write changes");
  }
} finally {
  rmSync(folder, { recursive: true });
}
