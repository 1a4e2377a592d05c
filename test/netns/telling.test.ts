/** Scripts, FIFOs and mail of one configuration: what evenkeel tells beside what keepalived 2.2.7 tells. */

import assert from "node:assert/strict";
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { milliseconds } from "../../src/base/time.ts";
import { readInterfaces } from "../../src/sys/interfaces.ts";
import { openRawSocket } from "../../src/sys/raw-socket.ts";
import { advertPacket } from "../../src/vrrp/advert.ts";
import { TestNetwork } from "../support/namespace.ts";
import { peerPath } from "../support/peers.ts";
import { until } from "../support/until.ts";
import { addressOf, instance, vip } from "../support/vrrp-configuration.ts";
import { type Brand, EVENKEEL } from "../support/vrrp-pair.ts";

const configuration = (folder: string, more = "") => `global_defs {
    router_id R1
    script_user root
    enable_script_security
    vrrp_notify_fifo ${folder}/fifo
    vrrp_notify_fifo_script "${folder}/reader ${folder}/heard"
    notification_email {
        ops@example.net
    }
    notification_email_from lb@example.net
    smtp_server 127.0.0.1 2525
    smtp_alert_vrrp
${more}
}
vrrp_sync_group G {
    group {
        I1
    }
    notify "${folder}/notify any"
    notify_master "${folder}/notify group_master"
}
vrrp_instance I1 {
    interface eth0
    virtual_router_id 5
    priority 150
    version 3
    advert_int 0.1
    virtual_ipaddress {
        10.9.0.100/24
    }
    notify "${folder}/notify any"
    notify_master "${folder}/notify master"
    notify_backup "${folder}/notify backup"
    notify_fault "${folder}/notify fault"
    notify_stop "${folder}/notify stop"
}
`;

/** In no group. */
const secondInstance = (lines: string): string => `vrrp_instance I2 {
    interface eth0
    virtual_router_id 6
    version 3
    advert_int 0.1
    virtual_ipaddress {
        10.9.0.101/24
    }
${lines}}
`;

function script(path: string, text: string): string {
  writeFileSync(path, `#!/bin/sh\n${text}\n`);
  chmodSync(path, 0o755);
  return path;
}

const linesOf = (path: string): string[] =>
  existsSync(path)
    ? readFileSync(path, "utf8")
        .split("\n")
        .filter((line) => line !== "")
    : [];

/** One router alone on its LAN, with its scripts in a folder and a relay for its mail. */
async function router(
  t: TestContext,
  brand: Brand,
  more = "",
  prepare?: (folder: string) => void,
  tail: (folder: string) => string = () => "",
) {
  // A folder of root's own: script security looks at each part of the path.
  const folder = mkdtempSync(join("/run", "telling-"));
  const network = new TestNetwork();
  t.after(async () => {
    await network[Symbol.asyncDispose]();
    // Scripts of a router that was killed may still be writing.
    rmSync(folder, { recursive: true, force: true, maxRetries: 20 });
  });
  script(join(folder, "notify"), `echo "$*" >> ${folder}/told`);
  script(join(folder, "reader"), `while read -r line; do echo "$line" >> "$1"; done < "$2"`);
  prepare?.(folder);
  writeFileSync(join(folder, "conf"), configuration(folder, more) + tail(folder));
  const [node, far] = [await network.node("a"), await network.node("far")];
  await network.link(
    { node, interface: "eth0", addresses: ["10.9.0.1/24"] },
    { node: far, interface: "eth0", addresses: ["10.9.0.2/24"] },
  );
  const mails: string[] = [];
  // Without an address to look up it is bound at once, while this process is in there.
  const relay = node.within(() =>
    createServer((socket) => {
      let [said, at, inData] = ["", 0, false];
      socket.on("error", () => undefined);
      socket.write("220 relay\r\n");
      socket.on("data", (bytes) => {
        said += bytes;
        for (let end = said.indexOf("\r\n", at); end >= 0; end = said.indexOf("\r\n", at)) {
          const line = said.slice(at, end);
          at = end + 2;
          if (inData && (line.startsWith("Subject:") || line.startsWith("=>"))) mails.push(line);
          if (inData && line !== ".") continue;
          inData = line === "DATA";
          if (line === "QUIT") socket.end("221 bye\r\n");
          else socket.write(inData ? "354 go on\r\n" : "250 ok\r\n");
        }
      });
    }).listen(2525),
  );
  t.after(() => relay.close());
  const argv =
    brand === "evenkeel"
      ? [EVENKEEL, "run", "-f", join(folder, "conf"), "--socket", join(folder, "sock")]
      : [peerPath("keepalived"), "-n", "-l", "-P", "-f", join(folder, "conf"), "-p", join(folder, "pid"), "-r"].concat(
          join(folder, "vrrp.pid"),
        );
  const program = node.start(argv);
  const heard = (): string[] => linesOf(join(folder, "heard"));
  const cable = (state: "up" | "down") => far.run("ip", "link", "set", "eth0", state);
  return { folder, far, program, heard, cable, mails, told: () => linesOf(join(folder, "told")) };
}

/** Backup, master, fault, backup, master, stop; what each channel was told of instance and group. */
async function life(t: TestContext, brand: Brand) {
  const { program, heard, cable, mails, told } = await router(t, brand);
  const count = (line: string, times: number) =>
    until(`${line} ${times} times`, () => heard().filter((one) => one === line).length === times);
  await count('GROUP "G" MASTER 0', 1);
  await until("four mails", () => mails.length >= 8);
  await cable("down");
  await count('GROUP "G" FAULT 0', 1);
  await cable("up");
  await count('GROUP "G" MASTER 0', 2);
  await until("ten mails", () => mails.length >= 20);
  const before = [...mails];
  // keepalived ends its reader before that has read of the stop.
  const lines = heard();
  await program.stop("SIGTERM");
  await until("notify_stop", () => told().some((line) => line === "any GROUP G STOP 0"));
  return {
    atStop: heard().slice(lines.length),
    fifoInstance: lines.filter((line) => line.startsWith("INSTANCE")),
    fifoGroup: lines.filter((line) => line.startsWith("GROUP")),
    // keepalived starts scripts side by side: their order is not its own.
    scripts: told().toSorted(),
    ordered: told(),
    mails: before.toSorted(),
  };
}

test("Scripts, FIFO and mail are told what keepalived tells them", async (t) => {
  const { ordered, atStop, ...ours } = await life(t, "evenkeel");
  const { ordered: _, atStop: __, ...theirs } = await life(t, "keepalived");
  assert.deepEqual(ours, theirs);
  assert.deepEqual(atStop, ['INSTANCE "I1" STOP 150', 'GROUP "G" STOP 0']);
  const instance = ordered.filter((line) => !/GROUP|group/.test(line));
  assert.deepEqual(instance.slice(0, 4), [
    "backup",
    "any INSTANCE I1 BACKUP 150",
    "master",
    "any INSTANCE I1 MASTER 150",
  ]);
  assert.deepEqual(instance.slice(-2), ["stop", "any INSTANCE I1 STOP 150"]);
});

test("fifo_write_vrrp_states_on_reload tells all states again; keepalived 2.2.7 those of groups", async (t) => {
  const again = async (brand: Brand, count: number) => {
    const { program, heard } = await router(t, brand, "    fifo_write_vrrp_states_on_reload");
    await until("MASTER", () => heard().includes('GROUP "G" MASTER 0'));
    const before = heard().length;
    program.kill("SIGHUP");
    await until("the lines", () => heard().length >= before + count);
    // What else a reload tells would come before what a stop does.
    await program.stop("SIGTERM");
    return heard()
      .slice(before)
      .filter((line) => !line.includes("STOP"));
  };
  assert.deepEqual(await again("evenkeel", 2), ['INSTANCE "I1" MASTER 150', 'GROUP "G" MASTER 0']);
  assert.deepEqual(await again("keepalived", 1), ['GROUP "G" MASTER 0']);
});

for (const [lines, state] of [
  ["", "FAULT"],
  ["    notify_deleted\n", "DELETED"],
] as const) {
  test(`an instance that a reload removes is told of as keepalived does: ${state}`, async (t) => {
    const second = secondInstance(lines);
    const removed = async (brand: Brand) => {
      const { folder, program, heard } = await router(t, brand, "", undefined, () => second);
      const about = () => heard().filter((line) => line.includes('"I2"'));
      await until("MASTER", () => about().includes('INSTANCE "I2" MASTER 100'));
      const before = about().length;
      writeFileSync(join(folder, "conf"), configuration(folder));
      program.kill("SIGHUP");
      await until("a line", () => about().length > before);
      const said = about().slice(before);
      await program.stop("SIGTERM");
      return said;
    };
    const ours = await removed("evenkeel");
    assert.deepEqual(ours, [`INSTANCE "I2" ${state} 100`]);
    assert.deepEqual(ours, await removed("keepalived"));
  });
}

test("notify_master_rx_lower_pri is told of a lower priority as keepalived tells it", async (t) => {
  const heardOf = async (brand: Brand) => {
    const tail = (folder: string) => secondInstance(`    notify_master_rx_lower_pri "${folder}/notify lower"\n`);
    const { far, program, heard, told } = await router(t, brand, "", undefined, tail);
    await until("MASTER", () => heard().includes('INSTANCE "I2" MASTER 100'));
    const more = {
      virtualRouterId: 6,
      version: 3 as const,
      advertInterval: milliseconds(100),
      virtualAddresses: [vip("10.9.0.101")],
    };
    const header = { source: addressOf("10.9.0.2"), destination: addressOf("224.0.0.18"), identification: 1 };
    const packet = advertPacket(instance(more), 50, header);
    far.within(() => {
      const [eth0] = [...readInterfaces().values()].filter(({ name }) => name === "eth0");
      assert.ok(eth0 !== undefined);
      const socket = openRawSocket({
        protocol: 112,
        interface: eth0,
        onPackets: () => undefined,
        onError: assert.fail,
      });
      socket.send(packet, addressOf("224.0.0.18"));
      socket.close();
    });
    await until("the script", () => told().includes("lower"));
    const lines = heard().filter((line) => line.includes('"I2"'));
    await program.stop("SIGTERM");
    return lines;
  };
  const ours = await heardOf("evenkeel");
  assert.equal(ours.at(-1), 'INSTANCE "I2" MASTER_RX_LOWER_PRI 100');
  assert.deepEqual(ours, await heardOf("keepalived"));
});

test("A FIFO is made for root alone, and goes with the daemon that made it", async (t) => {
  const { folder, program, heard } = await router(t, "evenkeel");
  await until("a line", () => heard().length > 0);
  const made = lstatSync(join(folder, "fifo"));
  assert.deepEqual([made.isFIFO(), made.mode & 0o777, made.uid], [true, 0o600, 0]);
  await program.stop("SIGTERM");
  assert.equal(existsSync(join(folder, "fifo")), false);
});

test("What is no FIFO is left alone and named, and the router runs all the same", async (t) => {
  const { folder, program } = await router(t, "evenkeel", "", (place) => {
    writeFileSync(join(place, "file"), "mine\n");
    symlinkSync(join(place, "file"), join(place, "fifo"));
  });
  await program.sees(/notify FIFO \S+\/fifo: it is a symbolic link, which is not followed/);
  await program.sees(/\(I1\) Entering MASTER STATE/);
  assert.equal(readFileSync(join(folder, "file"), "utf8"), "mine\n");
});

test("A reader of a FIFO that dies is started again", async (t) => {
  const { program, heard } = await router(t, "evenkeel", "", (place) => {
    script(join(place, "reader"), `read -r line < "$2"; echo "$line" >> "$1"; exit 7`);
  });
  await program.sees(/reader of notify FIFO \S+ \(.*reader.*\): exited with status 7; starting it again in 1 s/);
  await until("the second run has read a line", () => heard().length >= 2);
});

test("A startup_script runs before everything, a shutdown_script after it, each within its time", async (t) => {
  const more = (folder: string) => `    startup_script "${folder}/once startup"
    shutdown_script "${folder}/once shutdown"
    shutdown_script_timeout 1`;
  const place = mkdtempSync(join("/run", "once-"));
  t.after(() => rmSync(place, { recursive: true, force: true }));
  script(
    join(place, "once"),
    `echo "$1 $(ip -br addr show dev eth0 | grep -c 10.9.0.100)" >> ${place}/log
[ "$1" = startup ] && exit 3; sleep 60`,
  );
  const { program, heard } = await router(t, "evenkeel", more(place));
  await until("master", () => heard().includes('INSTANCE "I1" MASTER 150'));
  await program.stop("SIGTERM");
  assert.deepEqual(linesOf(join(place, "log")), ["startup 0", "shutdown 0"]);
  const said = ["startup script script failed, status 3", "Startup complete", "shutdown script timed out after 1 s"];
  assert.deepEqual(
    said.map((line) => program.output.includes(line)),
    [true, true, true],
  );
  assert.ok(program.output.indexOf(said[0] as string) < program.output.indexOf(said[1] as string));
});
