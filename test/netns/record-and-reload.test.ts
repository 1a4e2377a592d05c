/** `run --record` and `replay`, `reload --dry-run` and `metrics` with the daemon itself. */

import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { replay } from "../../src/vrrp/recording.ts";
import { until } from "../support/until.ts";
import { instance, VrrpDaemon, withAddresses } from "../support/vrrp-daemon.ts";
import { tree } from "../support/vrrp-pair.ts";

const run = (daemon: VrrpDaemon, ...argv: string[]) => daemon.node.run(process.execPath, ...argv);
const EVENKEEL = new URL("../../src/cli/main.ts", import.meta.url).pathname;

test("a run that was recorded is printed again with its causes, also when the recording is cut", async () => {
  const folder = mkdtempSync(join(tmpdir(), "record-"));
  try {
    const file = join(folder, "vrrp.rec");
    await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"), ["--record", file]);
    await daemon.becomes("MASTER");
    await daemon.far.run("ip", "link", "set", "eth0", "down");
    await daemon.becomes("FAULT");
    assert.match(
      (await daemon.command("status")).stdout,
      /^VI_1 FAULT since [0-9]{2}:[0-9]{2}:[0-9]{2}: eth0 lost carrier$/m,
    );
    await daemon.far.run("ip", "link", "set", "eth0", "up");
    await daemon.becomes("MASTER");
    await daemon.program.stop("SIGTERM");

    const played = replay(readFileSync(file, "utf8").split("\n"));
    assert.ok(played.items.every((item) => item.type !== "damage" && !(item.type === "step" && item.differs)));
    const text = await run(daemon, EVENKEEL, "replay", file);
    assert.match(text, /^[0-9:.]{12} {2}VI_1 BACKUP → MASTER, priority 150: no advert for /m);
    assert.match(text, /^[0-9:.]{12} {2}VI_1 MASTER → FAULT, priority 150: eth0 lost carrier$/m);
    assert.match(text, /^ +[0-9]+ × advert VI_1 sent, priority 150$/m);
    assert.match(text, /^[0-9]+ inputs, as recorded\n$/m);

    const first = await run(daemon, EVENKEEL, "replay", file, "--until", "0.2", "--instance", "VI_1");
    assert.doesNotMatch(first, /FAULT/);
    const json = (await run(daemon, EVENKEEL, "replay", file, "--json")).trim().split("\n");
    assert.equal(json.length, played.items.length);
    assert.ok(json.every((line) => JSON.parse(line).type !== undefined));

    const whole = readFileSync(file);
    truncateSync(file, whole.length - 10);
    const cut = await run(daemon, EVENKEEL, "replay", file).catch((error: { code: number; stdout: string }) => error);
    assert.ok(typeof cut === "object" && cut.code === 1);
    assert.match(cut.stdout, new RegExp(`^${file}:[0-9]+: not JSON: cut off\\?`, "m"));
    assert.match(cut.stdout, /VI_1 MASTER → FAULT/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a vrrp process that is killed leaves a recording, which its successor keeps", async () => {
  const folder = mkdtempSync(join(tmpdir(), "record-"));
  try {
    const file = join(folder, "vrrp.rec");
    await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"), ["--record", file]);
    await daemon.becomes("MASTER");
    await until("MASTER is on disk", () => readFileSync(file, "utf8").includes("BACKUP → MASTER"));
    const vrrp = (await daemon.status()).processes.find(({ name }) => name === "vrrp")?.pid;
    assert.ok(vrrp !== undefined && tree(daemon.program.pid).includes(vrrp));
    process.kill(vrrp, "SIGKILL");
    await until("another one runs", async () => {
      const now = (await daemon.status()).processes.find(({ name }) => name === "vrrp");
      return now?.pid !== undefined && now.pid !== vrrp;
    });
    await daemon.becomes("MASTER");
    assert.match(readFileSync(`${file}.1`, "utf8"), /BACKUP → MASTER/);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});

test("a dry run says what a reload would do and does nothing; the reload logs the same lines", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  await daemon.becomes("MASTER");
  assert.equal((await daemon.command("reload", "--dry-run")).stdout, "a reload changes nothing\n");
  daemon.write(withAddresses("10.9.0.100/24", "10.9.0.101/24"));
  const line =
    "vrrp_instance VI_1 changed: virtual_ipaddress 10.9.0.101/24 dev eth0 is new; stays MASTER, no advert is missed; " +
    "10.9.0.101/24 is added and announced; no other address moves";
  const planned = await daemon.command("reload", "--dry-run");
  assert.deepEqual([planned.status, planned.stdout], [0, `${line}\n`]);
  const json = JSON.parse((await daemon.command("reload", "--dry-run", "--json")).stdout);
  assert.deepEqual(json.changes[0].fields, [{ field: "virtual_ipaddress", to: "10.9.0.101/24 dev eth0" }]);
  assert.deepEqual(
    (await daemon.events()).filter(({ kind }) => kind === "reload"),
    [],
  );
  assert.ok(!(await daemon.addresses()).includes("10.9.0.101"));

  assert.equal((await daemon.command("reload")).status, 0);
  await until("the address is there", async () => (await daemon.addresses()).includes("10.9.0.101"));
  assert.ok(daemon.program.output.includes(`Reload: ${line}`));

  writeFileSync(daemon.file, instance("    virtual_ipaddress {\n        no address\n    }").replace("51", "999"));
  const refused = await daemon.command("reload", "--dry-run");
  assert.equal(refused.status, 2);
  assert.match(refused.stdout, /^reload: refused\n/);
});

test("metrics come through the control socket as text", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  await daemon.becomes("MASTER");
  const adverts = async () => (await daemon.status()).vrrp?.timeliness.adverts.count;
  await until("a timer has sent an advert", adverts);
  const { stdout } = await daemon.command("metrics");
  assert.match(stdout, /^keepalived_vrrp_state\{iname="VI_1",intf="eth0",vrid="51",ip_address="10\.9\.0\.100"\} 2$/m);
  assert.match(stdout, /^keepalived_advertisements_sent_total\{iname="VI_1",intf="eth0",vrid="51"\} [1-9]/m);
  assert.match(stdout, /^evenkeel_advert_lateness_seconds_count [1-9]/m);
});
