/** What happens to interfaces, addresses and scripts around a VRRP router while it runs. */

import assert from "node:assert/strict";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Ipv4Address } from "../../src/base/ip.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { openRawSocket } from "../../src/sys/raw-socket.ts";
import { encodeIpv4, PROTOCOL_VRRP } from "../../src/wire/ipv4.ts";
import { until } from "../support/until.ts";
import { instance, VrrpDaemon, withAddresses } from "../support/vrrp-daemon.ts";
import { tree } from "../support/vrrp-pair.ts";

const VIP = "10.9.0.100";

test("an interface that is removed and comes back under another index carries the VIP again", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses(`${VIP}/24`));
  await daemon.becomes("MASTER");
  await daemon.node.run("ip", "link", "del", "eth0");
  await daemon.becomes("FAULT");
  const faults = async () => (await daemon.status()).vrrp?.instances[0]?.faults ?? [];
  await until("what is true", async () => (await faults()).includes("eth0 was removed"));
  assert.ok(!(await faults()).includes("eth0 was set down"));
  await daemon.plug("eth0", "10.9.0.1/24");
  await daemon.becomes("MASTER");
  assert.ok((await daemon.addresses()).includes(VIP));
  const sockets = daemon.program.output.match(/ifindex\( *(\d+)\)/g) ?? [];
  assert.equal(new Set(sockets).size, 2, "it listens on the new one");
});

test("an interface that is renamed is gone, and there again when it is called as before", async (t) => {
  await using daemon = await VrrpDaemon.start(withAddresses(`${VIP}/24`));
  await daemon.becomes("MASTER");
  try {
    await daemon.node.run("ip", "link", "set", "eth0", "name", "lan0");
  } catch {
    return t.skip("this kernel renames no interface that is up");
  }
  await daemon.becomes("FAULT");
  await daemon.node.run("ip", "link", "set", "lan0", "name", "eth0");
  await daemon.becomes("MASTER");
  assert.ok((await daemon.addresses()).includes(VIP));
});

test("an interface that gets its name late brings its addresses along", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses(`${VIP}/24`).replace("eth0", "lan0"));
  assert.match(daemon.program.output, /interface lan0 doesn't exist: waiting for it/);
  await daemon.becomes("FAULT");
  await daemon.node.run("ip", "link", "set", "eth0", "down");
  await daemon.node.run("ip", "link", "set", "eth0", "name", "lan0");
  await daemon.node.run("ip", "link", "set", "lan0", "up");
  await daemon.becomes("MASTER");
  const [adverts] = (await daemon.status()).vrrp?.instances ?? [];
  assert.ok((adverts?.counters["adverts-sent"] ?? 0) > 0);
});

test("a reload that takes the last router from an interface still says priority 0 there", async () => {
  const other = (lines: string) => lines.replace("VI_1", "VI_2").replace("eth0", "eth1").replace("51", "52");
  const both = withAddresses(`${VIP}/24`) + other(withAddresses("10.8.0.100/24"));
  await using daemon = await VrrpDaemon.start(other(withAddresses("10.8.0.100/24")));
  await daemon.plug("eth1", "10.8.0.1/24");
  daemon.write(both);
  daemon.program.kill("SIGHUP");
  await until("both are MASTER", async () =>
    (await daemon.status()).vrrp?.instances.every(({ state }) => state === "MASTER"),
  );
  // Not tcpdump: it cannot give up a user namespace's root.
  const main = fileURLToPath(new URL("../../src/lab/advert-watch-main.ts", import.meta.url));
  const capture = daemon.far.start([process.execPath, main, "eth0"]);
  await capture.sees(/"virtualRouterId":51,"priority":150/);
  daemon.write(other(withAddresses("10.8.0.100/24")));
  daemon.program.kill("SIGHUP");
  await capture.sees(/"from":"10\.9\.0\.1","virtualRouterId":51,"priority":0\}/);
  await until("the VIP is gone", async () => !(await daemon.addresses()).includes(VIP));
  assert.doesNotMatch(daemon.program.output, /Deassigned/);
});

test("a VIP that was on the host before the start is taken as a leftover, as keepalived takes it", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses("10.9.0.99/24"));
  await daemon.node.run("ip", "addr", "add", `${VIP}/24`, "dev", "eth0");
  await daemon.node.run("ip", "addr", "add", `${VIP}/32`, "dev", "eth0");
  daemon.write(withAddresses("10.9.0.99/24", `${VIP}/24`));
  daemon.program.kill("SIGHUP");
  await daemon.program.sees(/Reload complete/);
  await daemon.becomes("MASTER");
  await daemon.program.stop("SIGTERM");
  const [link] = await daemon.node.ipJson("-4", "addr", "show", "dev", "eth0");
  const left = (link.addr_info as { local: string; prefixlen: number }[]).map((one) => `${one.local}/${one.prefixlen}`);
  assert.deepEqual(left.sort(), ["10.9.0.1/24", `${VIP}/32`], "with another prefix it is another address");
});

test("a script that is not there is not tracked, and one that breaks later is", async () => {
  const flag = "/run/vrrp-edges-flag";
  await using daemon = await VrrpDaemon.start(`vrrp_script missing {
    script "/run/vrrp-edges-missing"
}
vrrp_script unused {
    script /bin/false
}
vrrp_script chk {
    script "/usr/bin/test ! -e ${flag}"
    weight -10
}
${instance(`    track_script {\n        missing\n        chk\n    }\n    virtual_ipaddress {\n        ${VIP}/24\n    }`)}`);
  await daemon.becomes("MASTER");
  assert.match(
    daemon.program.output,
    /Script \/run\/vrrp-edges-missing cannot be accessed - No such file or directory/,
  );
  assert.match(daemon.program.output, /Disabling track script missing since not found\/accessible/);
  assert.match(daemon.program.output, /Warning - script unused is not used/);
  writeFileSync(flag, "");
  await daemon.program.sees(/Changing effective priority from 150 to 140/);
});

test("a notify script that hangs at the stop is ended, and so is a check; none of them is left behind", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses(`${VIP}/24`));
  const pids = (name: string) => join(daemon.folder, name);
  const hang = join(daemon.folder, "hang.sh");
  writeFileSync(hang, `#!/bin/sh\ntrap '' TERM\necho $$ >> "$1"\nwhile :; do /bin/sleep 1; done\n`, { mode: 0o755 });
  const lines = `    track_script {\n        chk weight 1\n    }\n    notify_stop "${hang} ${pids("stop")}"
    virtual_ipaddress {\n        ${VIP}/24\n    }`;
  daemon.write(`vrrp_script chk {\n    script "${hang} ${pids("check")}"\n    interval 60\n}\n${instance(lines)}`);
  daemon.program.kill("SIGHUP");
  await until("the check runs", () => existsSync(pids("check")));
  const children = tree(daemon.program.pid);
  assert.deepEqual(await daemon.program.stop("SIGTERM"), { status: 0, signal: null });
  assert.match(daemon.program.output, /\(VI_1\) removing VIPs\.[\s\S]*Stopped evenkeel\n$/);
  assert.deepEqual(await daemon.addresses(), ["10.9.0.1"]);
  for (const name of ["check", "stop"]) children.push(Number(readFileSync(pids(name), "utf8")));
  await until("nobody is left", () => children.every((pid) => !existsSync(`/proc/${pid}`)));
});

test("ten thousand odd packets of protocol 112 neither move the VIP nor fill the log", async () => {
  await using daemon = await VrrpDaemon.start(withAddresses(`${VIP}/24`));
  await daemon.becomes("MASTER");
  const before = (await daemon.status()).vrrp?.instances[0]?.since;
  const lines = daemon.program.output.split("\n").length;
  daemon.far.within(() => {
    const eth0 = readInterfaces()
      .values()
      .find(({ name }) => name === "eth0");
    assert.ok(eth0 !== undefined);
    const nobody = () => undefined;
    const socket = openRawSocket({ protocol: 255, interface: eth0, onPackets: nobody, onError: nobody });
    for (let n = 0; n < 10_000; n++) {
      // Every length, first byte and number of addresses in turn; a third is for this router's id.
      const payload = new Uint8Array(n % 1_400).map((_, at) =>
        at === 1 && n % 3 === 0 ? 51 : (n * (at + 7)) >> (at % 5),
      );
      if (n % 2 === 0) payload[0] = 0x31;
      const [source, destination] = ["10.9.0.2" as Ipv4Address, "224.0.0.18" as Ipv4Address];
      const header = { typeOfService: 0xc0, identification: n, flagsAndOffset: 0, timeToLive: 255 };
      const rest = { protocol: PROTOCOL_VRRP, source, destination, options: new Uint8Array(0), payload };
      socket.send(encodeIpv4({ ...header, ...rest }), destination);
    }
    socket.close();
  });
  const { vrrp } = await daemon.status();
  const counters = vrrp?.instances[0]?.counters;
  assert.ok((counters?.["packet-length"] ?? 0) + (counters?.version ?? 0) > 100, "it has seen them");
  assert.equal(vrrp?.instances[0]?.since, before);
  assert.ok(daemon.program.output.split("\n").length - lines < 10, daemon.program.output);
});
