/** The cases of docs/internals/interop.md: what each is configured with, what happens to it, what must be seen. */

import { type InteropCase, type InteropPair, nameOf, SIDES, type Side } from "./interop.ts";
import { until } from "./until.ts";
import type { Router } from "./vrrp-pair.ts";

interface Instance {
  readonly name?: string;
  readonly interface?: string;
  readonly vrid?: number;
  readonly priority?: number;
  readonly lines?: readonly string[];
  readonly addresses?: readonly string[];
}

const IPV4 = ["10.9.0.100/24"];
const PASSWORD = ["authentication {", "  auth_type PASS", "  auth_pass passw123", "}"];
/** Fast enough for a test, and spoken by both. */
const VERSION_3 = ["version 3", "advert_int 0.2"];

const block = (
  side: Side,
  { name = "VI_1", interface: device = "eth0", vrid = 51, priority, lines = VERSION_3, addresses = IPV4 }: Instance,
): string => `vrrp_instance ${name} {
    state BACKUP
    interface ${device}
    virtual_router_id ${vrid}
    priority ${priority ?? (side.name === "a" ? 150 : 100)}
${lines.map((line) => `    ${line}\n`).join("")}    virtual_ipaddress {
${addresses.map((address) => `        ${address}\n`).join("")}    }
}
`;

const unicast = (side: Side): string[] => [`unicast_src_ip ${side.address}`, "unicast_peer {", `    ${side.peer}`, "}"];

/** The master stops and returns, loses its cable and gets it back: the address follows each time. */
async function leavesAndReturns(pair: InteropPair): Promise<void> {
  await pair.up();
  await pair.a.stop();
  await pair.settles(pair.b);
  pair.a.start();
  await pair.settles(pair.a);
  await pair.a.cable("down");
  await pair.settles(pair.b);
  await pair.a.cable("up");
  await pair.settles(pair.a);
}

const said = (router: Router, line: RegExp): Promise<unknown> => router.program.sees(line);

/** The file changes, SIGHUP, and the log says that it was read. */
async function reload(router: Router, configuration: string): Promise<void> {
  const before = router.program.output.length;
  router.write(configuration);
  router.program.kill("SIGHUP");
  const done = /Reload (?:finished|complete)/i;
  await until(`${nameOf(router)} has reloaded`, () => done.test(router.program.output.slice(before)));
}

/** Adverts of this router that the client's LAN has carried since the call, and one of them is waited for. */
async function speaks(pair: InteropPair, router: Router): Promise<void> {
  const before = pair.advertsOf(router);
  await until(`${nameOf(router)} goes on to advertise`, () => pair.advertsOf(router) >= before + 3);
}

const [SIDE_A, SIDE_B] = SIDES;
const twoAddresses = ["10.9.0.100/24", "10.9.0.101/24"];

export const INTEROP_CASES: readonly InteropCase[] = [
  {
    name: "version 2 with PASS",
    result: "The VIP follows a clean stop, the return, a lost link and its return.",
    configuration: (side) => block(side, { lines: ["advert_int 1", ...PASSWORD] }),
    addresses: ["10.9.0.100"],
    story: leavesAndReturns,
  },
  {
    name: "version 3 at 200 ms",
    result: "The same.",
    configuration: (side) => block(side, {}),
    addresses: ["10.9.0.100"],
    story: leavesAndReturns,
  },
  {
    name: "IPv6",
    result: "The same for a link-local and a global VIP; adverts go from link-local addresses to ff02::12.",
    configuration: (side) => block(side, { addresses: ["fe80::100/64", "2001:db8::100/64"] }),
    addresses: ["fe80::100", "2001:db8::100"],
    destinations: ["ff02::12"],
    story: leavesAndReturns,
  },
  {
    name: "unicast, version 2",
    result: "The VIP follows a clean stop and the return; nothing goes to the multicast group.",
    configuration: (side) => block(side, { lines: ["advert_int 1", ...PASSWORD, ...unicast(side)] }),
    addresses: ["10.9.0.100"],
    destinations: ["10.9.0.1", "10.9.0.2"],
    async story(pair) {
      await pair.up();
      await pair.a.stop();
      await pair.settles(pair.b);
      pair.a.start();
      await pair.settles(pair.a);
    },
  },
  {
    name: "unicast, version 3",
    result: "The same; the checksum's pseudo header has the peer's address.",
    configuration: (side) => block(side, { lines: [...VERSION_3, ...unicast(side)] }),
    addresses: ["10.9.0.100"],
    destinations: ["10.9.0.1", "10.9.0.2"],
    story: leavesAndReturns,
  },
  {
    name: "sync group",
    result: "A lost link on one LAN moves the VIPs of both, and both come back.",
    secondLan: true,
    configuration: (side) =>
      `vrrp_sync_group G {\n    group {\n        VI_1\n        VI_2\n    }\n}\n${block(side, {})}${block(side, {
        ...{ name: "VI_2", interface: "eth1", vrid: 52, addresses: ["10.8.0.100/24"] },
      })}`,
    addresses: ["10.9.0.100", "10.8.0.100"],
    story: leavesAndReturns,
  },
  {
    name: "nopreempt",
    result: "The better router returns and leaves the VIP where it is; it takes over when the other stops.",
    configuration: (side) => block(side, { lines: [...VERSION_3, "nopreempt"] }),
    addresses: ["10.9.0.100"],
    async story(pair) {
      pair.a.start();
      await pair.holds(pair.a);
      pair.b.start();
      await pair.settles(pair.a);
      await pair.a.stop();
      await pair.settles(pair.b);
      pair.a.start();
      await said(pair.a, /Entering BACKUP STATE/);
      // Ten adverts heard are three master-down intervals.
      await pair.staysWith(pair.b, pair.adverts(pair.b, 10));
      await pair.b.stop();
      await pair.settles(pair.a);
    },
  },
  {
    name: "preempt_delay",
    result: "The better router returns, waits two seconds from the first advert of the lesser one, and takes over.",
    configuration: (side) => block(side, { lines: [...VERSION_3, ...(side.name === "a" ? ["preempt_delay 2"] : [])] }),
    addresses: ["10.9.0.100"],
    async story(pair) {
      await pair.up();
      await pair.a.stop();
      await pair.settles(pair.b);
      const before = pair.advertsOf(pair.b);
      pair.a.start();
      await pair.settles(pair.a);
      // Two seconds of adverts every 200 ms.
      const heard = pair.advertsOf(pair.b) - before;
      if (heard < 9) throw new Error(`${nameOf(pair.a)} took over after ${heard} adverts of the other`);
    },
  },
  {
    name: "use_vmac",
    result: "The VIP answers with 00:00:5e:00:01:33 whoever is master.",
    configuration: (side) => block(side, { lines: [...VERSION_3, "use_vmac"] }),
    addresses: ["10.9.0.100"],
    async story(pair) {
      await pair.up();
      await pair.answersWith("10.9.0.100", "00:00:5e:00:01:33");
      await pair.a.stop();
      await pair.settles(pair.b);
      await pair.answersWith("10.9.0.100", "00:00:5e:00:01:33");
      pair.a.start();
      await pair.settles(pair.a);
      await pair.answersWith("10.9.0.100", "00:00:5e:00:01:33");
    },
  },
  {
    name: "address owner (priority 255)",
    result: "The owner is master at once whenever it is there.",
    configuration: (side) => block(side, { priority: side.name === "a" ? 255 : 100 }),
    addresses: ["10.9.0.100"],
    story: leavesAndReturns,
  },
  {
    name: "equal priorities",
    result: "Who is master stays master, though the other has the higher address.",
    configuration: (side) => block(side, { priority: 100 }),
    addresses: ["10.9.0.100"],
    async story(pair) {
      pair.a.start();
      await pair.holds(pair.a);
      pair.b.start();
      await said(pair.b, /Entering BACKUP STATE/);
      await pair.staysWith(pair.a, pair.adverts(pair.a, 10));
      await pair.settles(pair.a);
    },
  },
  {
    name: "SIGHUP on the master: another VIP",
    result:
      "The new VIP is added and the old one stays. keepalived 2.2.7 as the backup refuses adverts with a VIP list that is not its own and becomes a second master until it has been reloaded too; evenkeel accepts them and says so.",
    configuration: (side) => block(side, {}),
    addresses: ["10.9.0.100"],
    async story(pair) {
      await pair.up();
      await pair.staysWith(pair.a, reload(pair.a, block(SIDE_A, { addresses: twoAddresses })));
      await until(`${nameOf(pair.a)} holds 10.9.0.101`, () => pair.holding(pair.a, "10.9.0.101"));
      await reload(pair.b, block(SIDE_B, { addresses: twoAddresses }));
      await pair.settles(pair.a);
      await speaks(pair, pair.a);
      await pair.a.stop();
      await pair.settles(pair.b);
      await until(`${nameOf(pair.b)} holds 10.9.0.101`, () => pair.holding(pair.b, "10.9.0.101"));
    },
  },
  {
    name: "SIGHUP on the backup: a higher priority",
    result: "The backup takes over with its new priority, and gives the VIP back when it is lowered again.",
    configuration: (side) => block(side, {}),
    addresses: ["10.9.0.100"],
    async story(pair) {
      await pair.up();
      await reload(pair.b, block(SIDE_B, { priority: 200 }));
      await pair.settles(pair.b);
      await reload(pair.b, block(SIDE_B, { priority: 100 }));
      await pair.settles(pair.a);
    },
  },
  {
    name: "SIGHUP on either side: nothing new",
    result: "Nothing moves.",
    configuration: (side) => block(side, {}),
    addresses: ["10.9.0.100"],
    async story(pair) {
      await pair.up();
      await pair.staysWith(pair.a, reload(pair.a, block(SIDE_A, {})));
      await pair.staysWith(pair.a, reload(pair.b, block(SIDE_B, {})));
      await pair.staysWith(pair.a, pair.adverts(pair.a, 5));
      await pair.settles(pair.a);
    },
  },
];
