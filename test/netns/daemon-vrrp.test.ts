/** `evenkeel run` with a keepalived.conf alone: what the person who runs it at night relies on. */

import assert from "node:assert/strict";
import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { until } from "../support/until.ts";
import { instance, VrrpDaemon, withAddresses } from "../support/vrrp-daemon.ts";
import { tree, VrrpPair } from "../support/vrrp-pair.ts";

test("the supervisor is killed: its children hand the VIP over as on a clean stop and leave nothing behind", async () => {
  await using pair = await VrrpPair.start({ master: "evenkeel", backup: "keepalived", lines: ["advert_int 1"] });
  const children = tree(pair.master.program.pid).slice(1);
  assert.equal(children.length, 1);
  process.kill(pair.master.program.pid, "SIGKILL");
  await pair.backup.program.sees(/Backup received priority 0 advertisement/);
  await pair.backup.holding();
  await pair.master.lettingGo();
  await until("the children are gone", () => children.every((pid) => !existsSync(`/proc/${pid}`)));
  assert.equal(existsSync(pair.master.socket), false, "the control socket is gone");
});

test("a killed vrrp child is started again and takes its VIP back", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  await until("it holds the VIP", async () => (await daemon.addresses()).includes("10.9.0.100"));
  const before = (await daemon.status()).processes.find((one) => one.name === "vrrp");
  process.kill(before?.pid ?? 0, "SIGKILL");
  await daemon.program.sees(/vrrp child process ended by SIGKILL, starting again in 100 ms/);
  await until("another process is MASTER", async () => {
    const status = await daemon.status();
    const now = status.processes.find((one) => one.name === "vrrp");
    return now?.pid !== before?.pid && now?.restarts === 1 && status.vrrp?.instances[0]?.state === "MASTER";
  });
  assert.ok((await daemon.addresses()).includes("10.9.0.100"));
});

test("SIGHUP with a bad file is refused, named line by line, and changes nothing", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  await daemon.becomes("MASTER");
  const since = (await daemon.status()).vrrp?.instances[0]?.since;
  daemon.write("vrrp_instance VI_1 {\n    priority 150\n}\n");
  daemon.program.kill("SIGHUP");
  await daemon.program.sees(/keepalived\.conf:1:\d+: error\[keepalived\/[a-z-]+\]/);
  await daemon.program.sees(/Reload refused: the running configuration stays/);
  const status = await daemon.status();
  assert.equal(status.lastReload?.result, "refused");
  assert.equal(status.vrrp?.instances[0]?.state, "MASTER");
  assert.equal(status.vrrp?.instances[0]?.since, since);
  assert.ok((await daemon.addresses()).includes("10.9.0.100"));
});

test("SIGHUP with one more VIP adds it and touches no other address", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  await daemon.becomes("MASTER");
  const since = (await daemon.status()).vrrp?.instances[0]?.since;
  const monitor = daemon.node.start(["ip", "-o", "monitor", "address"]);
  daemon.write(withAddresses("10.9.0.100/24", "10.9.0.101/24"));
  daemon.program.kill("SIGHUP");
  await until("both VIPs", async () => {
    const addresses = await daemon.addresses();
    return addresses.includes("10.9.0.100") && addresses.includes("10.9.0.101");
  });
  await daemon.program.sees(/Reload complete/);
  await monitor.sees(/10\.9\.0\.101/);
  await monitor.stop();
  assert.doesNotMatch(monitor.output, /Deleted/);
  assert.equal((await daemon.status()).vrrp?.instances[0]?.since, since, "it stayed MASTER all the time");
});

test("a VIP that somebody removes sends the MASTER back to BACKUP, and the event says why", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  await daemon.becomes("MASTER");
  await daemon.node.run("ip", "addr", "del", "10.9.0.100/24", "dev", "eth0");
  const event = await until("the event", async () =>
    (await daemon.events()).find((one) => one.kind === "vrrp-state" && one.from === "MASTER" && one.to === "BACKUP"),
  );
  assert.match("cause" in event ? event.cause : "", /10\.9\.0\.100/);
});

test("a link that goes down means FAULT without the VIP, and coming back means MASTER again", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  await daemon.becomes("MASTER");
  await daemon.far.run("ip", "link", "set", "eth0", "down");
  await daemon.program.sees(/\(VI_1\) Entering FAULT STATE/);
  await until("the VIP is gone", async () => !(await daemon.addresses()).includes("10.9.0.100"));
  assert.deepEqual(
    (await daemon.status()).vrrp?.instances.map((one) => one.state),
    ["FAULT"],
  );
  await daemon.far.run("ip", "link", "set", "eth0", "up");
  await until("the VIP is back", async () => (await daemon.addresses()).includes("10.9.0.100"));
});

test("status names the nft table that drops traffic to the VIP, until a reload ends it", async () => {
  const address = withAddresses("10.9.0.100/24");
  await using daemon = await VrrpDaemon.start(address.replace("    version 3\n", "    version 3\n    no_accept\n"));
  await daemon.becomes("MASTER");
  assert.deepEqual((await daemon.status()).vrrp?.drops, { tables: ["ip keepalived"], instances: ["VI_1"] });
  assert.match(
    (await daemon.command("status")).stdout,
    /^VI_1 takes no packet .*: nft table ip keepalived drops them$/m,
  );
  daemon.write(address);
  assert.equal((await daemon.command("reload")).status, 0);
  await until("nothing is dropped", async () => (await daemon.status()).vrrp?.drops === undefined);
});

test("a failing vrrp_script means FAULT, its success ends it, and notify scripts run in the order of the states", async () => {
  const folder = mkdtempSync(join(tmpdir(), "scripts-"));
  const told = join(folder, "told");
  const flag = join(folder, "fail");
  const note = join(folder, "note.sh");
  writeFileSync(note, `#!/bin/sh\n[ "$3" = MASTER ] && /bin/sleep 0.3\necho "$@" >> ${told}\n`, { mode: 0o755 });
  const tracked = instance(
    `    track_script {\n        chk\n    }\n    notify ${note}\n    virtual_ipaddress {\n        10.9.0.100/24 label eth0:vip\n    }`,
  );
  await using daemon = await VrrpDaemon.start(
    `vrrp_script chk {\n    script "/usr/bin/test ! -e ${flag}"\n    interval 0.1\n    fall 2\n}\n${tracked}`,
  );
  await daemon.becomes("MASTER");
  const [link] = await daemon.node.ipJson("addr", "show", "dev", "eth0");
  assert.equal(link.addr_info.find((one: { local: string }) => one.local === "10.9.0.100").label, "eth0:vip");
  writeFileSync(flag, "");
  await daemon.program.sees(/Script `chk` now returning 1/);
  await daemon.program.sees(/\(VI_1\) Entering FAULT STATE/);
  rmSync(flag);
  await daemon.program.sees(/VRRP_Script\(chk\) succeeded[\s\S]*VRRP_Script\(chk\) succeeded/);
  await daemon.becomes("MASTER");
  const wanted = ["BACKUP", "MASTER", "FAULT", "BACKUP", "MASTER"].map((state) => `INSTANCE VI_1 ${state} 150`);
  await until("all notifications", () => readFileSync(told, "utf8").trim().split("\n").length >= wanted.length);
  assert.deepEqual(readFileSync(told, "utf8").trim().split("\n"), wanted);
  rmSync(folder, { recursive: true });
});

test("a script that has become executable is tracked after a reload of the same file, and no longer after the reverse", async () => {
  const folder = mkdtempSync(join(tmpdir(), "scripts-"));
  const script = join(folder, "chk.sh");
  writeFileSync(script, "#!/bin/sh\nexit 1\n", { mode: 0o644 });
  chmodSync(folder, 0o755);
  try {
    const tracked = withAddresses("10.9.0.100/24").replace(
      "    version 3\n",
      "    version 3\n    track_script {\n        chk\n    }\n",
    );
    await using daemon = await VrrpDaemon.start(
      `vrrp_script chk {\n    script ${script}\n    interval 1\n    weight -30\n}\n${tracked}`,
    );
    await daemon.becomes("MASTER");
    const disabled = async () => (await daemon.status()).vrrp?.disabledScripts.map(({ name }) => name);
    const priority = async () => (await daemon.status()).vrrp?.instances[0]?.effectivePriority;
    const reload = async () => JSON.parse((await daemon.command("reload", "--json")).stdout).result;
    assert.deepEqual(await disabled(), ["chk"]);
    assert.equal(await priority(), 150);
    chmodSync(script, 0o755);
    assert.equal(await reload(), "unchanged");
    await daemon.program.sees(/Script chk can be run now: what tracks it counts it again/);
    await until("it counts", async () => (await priority()) === 120);
    assert.deepEqual(await disabled(), []);
    assert.match(
      (await daemon.command("status")).stdout,
      /^VI_1 priority 120 of 150: script chk exited with status 1$/m,
    );
    chmodSync(script, 0o644);
    assert.equal(await reload(), "unchanged");
    await until("it does not count", async () => (await priority()) === 150);
    assert.deepEqual(await disabled(), ["chk"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a second daemon on the same control socket says who is there and exits with 1", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  const second = await daemon.command("run", "-f", daemon.file);
  assert.equal(second.status, 1);
  assert.match(second.stderr, /evenkeel is already running/);
});

test("a stop before the first advert, and a status without a daemon, are answered with one line", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.100/24"));
  const { status } = await daemon.program.stop("SIGTERM");
  assert.equal(status, 0);
  assert.match(daemon.program.output, /Stopped evenkeel\n$/);
  const without = await daemon.command("status");
  assert.equal(without.status, 1);
  assert.equal(
    without.stderr,
    `evenkeel: ${daemon.socket}: evenkeel is not running (or listens elsewhere: --socket)\n`,
  );
});
