/** `ipvsadm -S`, `-R` and `ipvsadm-restore`: what comes back, what stays while it does, and what a mistake does. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { inMemory, machine } from "../../support/ipvsadm-run.ts";
import { serverKey, serverSettings, serviceKey, serviceSettings } from "../../support/tables.ts";

const EVERYTHING = `--set 1000 120 30
-A -t 10.0.0.1:80 -s sh -p 300 -M 255.255.255.0 -b sh-port,flag-3 --on-server-down move
-a -t 10.0.0.1:80 -r 192.168.0.1:8080 -m -w 3 -x 100 -y 50
-a -t 10.0.0.1:80 -r 192.168.0.2:80 -m -w 0 --drain
-A -u 10.0.0.1:53 -s rr -o
-a -u 10.0.0.1:53 -r 192.168.0.1:53 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-A -t [2001:db8::1]:80 -s wlc -p 60 -M 64
-A -f 4294967295 -6 -s mh -b mh-fallback
-a -f 4294967295 -6 -r [2001:db8:1::1]:0 -g -w 1
`;

test("what -S saves is what -R reads, thresholds, time-outs and our own settings included", async () => {
  const { run } = machine();
  assert.deepEqual(await run(["-R"], EVERYTHING), { exit: 0, stdout: "", stderr: "" });
  const { stdout } = await run(["-S", "-n"]);
  assert.deepEqual(stdout.split("\n").toSorted(), EVERYTHING.split("\n").toSorted());
  const other = machine();
  await other.run(["-R"], stdout);
  assert.equal((await other.run(["-S", "-n"])).stdout, stdout);
});

test("-S --nosort keeps the order in which servers are chosen", async () => {
  const { run, plane } = machine();
  for (const words of ["-A -t 10.0.0.1:80 -s rr", ...[3, 1, 2].map((n) => `-a -t 10.0.0.1:80 -r 192.168.0.${n} -m`)]) {
    await run(words.split(" "));
  }
  const saved = await run(["-S", "-n", "--nosort"]);
  const other = machine();
  await other.run(["-R"], saved.stdout);
  const order = plane.services()[0]?.servers.map(({ key }) => key.address);
  assert.deepEqual(order, ["192.168.0.2", "192.168.0.1", "192.168.0.3"]);
  assert.deepEqual(
    other.plane.services()[0]?.servers.map(({ key }) => key.address),
    order,
  );
});

test("ipvsadm-restore leaves counters of what stays, removes the rest and adds what is new", async () => {
  const { plane, opened } = inMemory();
  const { restore } = machine({ plane });
  plane.addService(serviceKey("10.0.0.1", 80), serviceSettings({ scheduler: "rr" }));
  plane.addServer(serviceKey("10.0.0.1", 80), serverKey("192.168.0.1", 80), serverSettings());
  plane.addServer(serviceKey("10.0.0.1", 80), serverKey("192.168.0.2", 80), serverSettings());
  plane.addService(serviceKey("10.0.0.2", 80), serviceSettings());
  for (const number of [0, 1]) opened.count(number, { connections: 7n });
  const kept = plane.services()[0]?.servers.find(({ key }) => key.address === "192.168.0.1")?.counters.connections;
  assert.equal(kept, 7n);
  const text = `# from a file
-A -t 10.0.0.1:80 -s wrr
-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w 4
-a -t 10.0.0.1:80 -r 192.168.0.3:80 -m -w 1
-A -t 10.0.0.3:80 -s rr
`;
  assert.deepEqual(await restore(text), { exit: 0, stdout: "", stderr: "" });
  assert.deepEqual(opened.gone, [serverKey("192.168.0.2", 80)]);
  const services = plane.services().map(({ key, settings, servers }) => ({
    address: key.kind === "address" ? key.address : "",
    scheduler: settings.scheduler,
    servers: servers.map((one) => [one.key.address, one.settings.weight, one.counters.connections]),
  }));
  assert.deepEqual(
    services.toSorted((a, b) => a.address.localeCompare(b.address)),
    [
      {
        address: "10.0.0.1",
        scheduler: "wrr",
        servers: [
          ["192.168.0.3", 1, 0n],
          ["192.168.0.1", 4, 7n],
        ],
      },
      { address: "10.0.0.3", scheduler: "rr", servers: [] },
    ],
  );
});

test("ipvsadm-restore changes nothing when a line cannot be understood", async () => {
  const { restore, run } = machine();
  await run(["-A", "-t", "10.0.0.9:80"]);
  const outcome = await restore("-A -t 10.0.0.1:80 -s rr\n\n-A -t 10.0.0.2 -s rr\n");
  assert.deepEqual(outcome, {
    exit: 2,
    stdout: "",
    stderr: "line 3: Zero port specified for non-persistent service\n",
  });
  assert.equal((await run(["-S", "-n"])).stdout, "-A -t 10.0.0.9:80 -s wlc\n");
});

test("ipvsadm-restore leaves out what is refused, names its line and does the rest", async () => {
  const { restore, run } = machine();
  const outcome = await restore(
    [
      "-A -t 10.0.0.1:80 -s rr",
      "-a -t 10.0.0.1:80 -r 224.0.0.1:80 -m",
      "-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m",
      "-A -t 10.0.0.2:80 -s nosuch",
      "-a -t 10.0.0.3:80 -r 192.168.0.1:80 -m",
    ].join("\n"),
  );
  assert.equal(outcome.exit, 255);
  assert.deepEqual(outcome.stderr.split("\n").toSorted(), [
    "",
    "line 2: Invalid operation.  Possibly wrong module version, address not unicast, ...",
    "line 4: Scheduler or persistence engine not found",
    "line 5: Service not defined",
  ]);
  const saved = "-A -t 10.0.0.1:80 -s rr\n-a -t 10.0.0.1:80 -r 192.168.0.1:80 -m -w 1\n";
  assert.equal((await run(["-S", "-n"])).stdout, saved);
});

test("-R goes on after what the data plane refuses, stops at a mistake of grammar, and names the line", async () => {
  const { run } = machine();
  const outcome = await run(
    ["-R"],
    "-A -t 10.0.0.1:80\n-A -t 10.0.0.1:80\n-A -t 10.0.0.2:80\n-A -t bad:80\n-A -t 10.0.0.3:80\n",
  );
  assert.deepEqual(outcome, {
    exit: 2,
    stdout: "",
    stderr: "line 2: Service already exists\nline 4: illegal virtual server address[:port] specified\n",
  });
  assert.equal((await run(["-S", "-n"])).stdout, "-A -t 10.0.0.1:80 -s wlc\n-A -t 10.0.0.2:80 -s wlc\n");
});

test("an edit keeps whose the service is and what becomes of its connections", async () => {
  const { run, plane } = machine();
  const key = serviceKey("10.0.0.1", 80);
  plane.addService(key, serviceSettings({ owner: "daemon", onServerDown: "keep" }));
  await run(["-E", "-t", "10.0.0.1:80", "-s", "rr"]);
  assert.deepEqual(
    plane.service(key)?.settings,
    serviceSettings({ scheduler: "rr", owner: "daemon", onServerDown: "keep" }),
  );
});
