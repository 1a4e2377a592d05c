/**
 * What is said about keepalived.conf, and what holds then. Each case is the body of an instance, or a file. Unless a case
 * gives its own, an instance has an interface, an id and an address. The words in messages are those that keepalived 2.2.7 logs.
 */

import assert from "node:assert/strict";
import { test } from "node:test";
import { seconds } from "../../../src/base/time.ts";
import { load } from "../../../src/config/load.ts";
import type { VrrpInstance } from "../../../src/config/model/vrrp.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";

const BASE = "interface eth0\nvirtual_router_id 7\nvirtual_ipaddress {\n10.0.0.1/24\n}\n";

function loadText(text: string) {
  const { configuration, diagnostics } = load(["/k"], memoryEnvironment({ "/k": text }));
  const said = diagnostics.map(({ severity, code, message, span }) => {
    const { line } = span.source.positionOf(span.start);
    return `${line} ${severity} ${code.replace("keepalived/", "")}: ${message}`;
  });
  return { vrrp: configuration.vrrp, said, diagnostics };
}

const instance = (body: string, base = BASE) => loadText(`vrrp_instance A {\n${base}${body}\n}\n`);

type Expected = Partial<VrrpInstance>;

/** Lines count from `vrrp_instance`; the first line of the body is 7. */
const cases: readonly [name: string, body: string, said: string[], model?: Expected][] = [
  [
    "defaults are keepalived's",
    "",
    [],
    {
      state: "BACKUP",
      priority: 100,
      version: 2,
      advertInterval: 1_000_000 as never,
      nopreempt: false,
      downTimerAdverts: 3,
    },
  ],
  [
    "an unknown state is BACKUP",
    "state master",
    ["7 warning unknown-state: (A) unknown state 'master', defaulting to BACKUP"],
    { state: "BACKUP" },
  ],
  [
    "MASTER without priority is 255",
    "state MASTER",
    ["7 warning master-without-priority: (A) state MASTER without priority means priority 255: it always takes over"],
    { priority: 255, state: "MASTER" },
  ],
  ["priority 255 is MASTER", "priority 255", [], { priority: 255, state: "MASTER" }],
  [
    "a priority out of range is not used",
    "priority 256",
    ["7 warning out-of-range: number '256' outside range [1, 255]"],
    { priority: 100 },
  ],
  [
    "a priority that is no number is not used",
    "priority 0x64",
    ["7 warning bad-number: invalid number '0x64'"],
    { priority: 100 },
  ],
  [
    "nopreempt and MASTER exclude each other",
    "state MASTER\npriority 100\nnopreempt",
    ["9 warning nopreempt-master: (A) Warning - nopreempt will not work with initial state MASTER - clearing"],
    { nopreempt: false },
  ],
  [
    "nopreempt and 255 exclude each other",
    "priority 255\nnopreempt",
    ["8 warning nopreempt-master: (A) nopreempt is incompatible with priority 255. resetting nopreempt"],
    { nopreempt: false },
  ],
  ["nopreempt holds for a BACKUP", "nopreempt", [], { nopreempt: true }],
  ["preempt takes nopreempt back", "nopreempt\npreempt", [], { nopreempt: false }],
  ["preempt_delay is kept to the microsecond", "preempt_delay 2.5", [], { preemptDelay: 2_500_000 as never }],
  [
    "preempt_delay has a limit",
    "preempt_delay 1001",
    ["7 warning out-of-range: number '1001' outside range [0, 1000]"],
    { preemptDelay: 0 as never },
  ],
  [
    "preempt_delay and MASTER exclude each other",
    "state MASTER\npriority 9\npreempt_delay 5",
    ["9 warning preempt-delay-unused: (A) Warning - preempt delay will not work with initial state MASTER - clearing"],
    { preemptDelay: 0 as never },
  ],
  [
    "preempt_delay and nopreempt exclude each other",
    "nopreempt\npreempt_delay 5",
    ["8 warning preempt-delay-unused: (A) preempt_delay is incompatible with nopreempt mode - resetting"],
    { preemptDelay: 0 as never, nopreempt: true },
  ],
  [
    "version 2 has whole seconds",
    "advert_int 0.3",
    ["7 warning advert-interval: (A) VRRPv2 advertisement interval 0.3s must be an integer. rounding to 1"],
    { advertInterval: 1_000_000 as never },
  ],
  ["version 3 has hundredths", "version 3\nadvert_int 0.25", [], { advertInterval: 250_000 as never, version: 3 }],
  [
    "version 3 ends at 40.95",
    "version 3\nadvert_int 41",
    ["8 warning advert-interval: (A) VRRPv3 advertisement interval 41s cannot be sent. Setting to 40.95s"],
    { advertInterval: 40_950_000 as never },
  ],
  [
    "an interval out of range is not used",
    "advert_int 0",
    ["7 warning out-of-range: number '0' outside range [0.01, 255]"],
    { advertInterval: 1_000_000 as never },
  ],
  ["a version is 2 or 3", "version 4", ["7 warning out-of-range: number '4' outside range [2, 3]"], { version: 2 }],

  [
    "eight characters are no problem",
    "authentication {\nauth_type PASS\nauth_pass passw123\n}",
    [],
    { authPass: "passw123" },
  ],
  [
    "a longer password is cut",
    "authentication {\nauth_type PASS\nauth_pass netology_secret\n}",
    ["9 warning auth-pass-too-long: Truncating auth_pass to 8 characters"],
    { authPass: "netology" },
  ],
  [
    "a password is cut at 8 bytes, between characters",
    "authentication {\nauth_type PASS\nauth_pass 1234567ü9\n}",
    ["9 warning auth-pass-too-long: Truncating auth_pass to 8 characters"],
    { authPass: "1234567" },
  ],
  [
    "authentication needs a password",
    "authentication {\nauth_type PASS\n}",
    ["7 warning auth-incomplete: (A) Authentication specified but no password given. Ignoring"],
    { authPass: undefined },
  ],
  [
    "authentication needs a type",
    "authentication {\nauth_pass x\n}",
    ["8 warning auth-incomplete: (A) Authentication specified but no type given. Ignoring"],
    { authPass: undefined },
  ],
  [
    "an unknown type is no type",
    "authentication {\nauth_type MD5\nauth_pass x\n}",
    [
      "8 warning unknown-auth-type: (A) unknown authentication type 'MD5'",
      "9 warning auth-incomplete: (A) Authentication specified but no type given. Ignoring",
    ],
    { authPass: undefined },
  ],
  [
    "version 3 has no authentication",
    "version 3\nauthentication {\nauth_type PASS\nauth_pass x\n}",
    ["8 warning auth-version-3: (A) VRRP version 3 does not support authentication. Ignoring."],
    { authPass: undefined },
  ],
  [
    "AH is an error",
    "authentication {\nauth_type AH\nauth_pass x\n}",
    ["8 error auth-ah: (A) auth_type AH is not implemented: VRRP dropped it in 2004 and next to nobody uses it"],
    { authPass: undefined },
  ],

  [
    "unicast peers take the place of the group",
    "unicast_peer {\n10.0.0.2\n10.0.0.3 min_ttl 254\n}",
    [],
    {
      unicastPeers: [
        { address: "10.0.0.2", minTtl: 0, maxTtl: 255 },
        { address: "10.0.0.3", minTtl: 254, maxTtl: 255 },
      ] as never,
      checkUnicastSource: true,
    },
  ],
  [
    "no unicast peers mean multicast",
    "unicast_peer {\n}",
    [
      "7 warning unicast-without-peers: (A) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.",
    ],
  ],
  [
    "unicast_src_ip alone is mcast_src_ip",
    "unicast_src_ip 10.0.0.9",
    [
      "7 warning unicast-without-peers: (A) A unicast keyword has been specified without any unicast peers. Defaulting to multicast. This usage is deprecated - please update your configuration.",
    ],
    { sourceAddress: "10.0.0.9" as never },
  ],
  ["mcast_src_ip is the source", "mcast_src_ip 10.0.0.9", [], { sourceAddress: "10.0.0.9" as never }],
  [
    "a source address must be one",
    "mcast_src_ip here",
    ["7 warning bad-address: Configuration error: VRRP instance[A] malformed src address[here]. Skipping..."],
    { sourceAddress: undefined },
  ],
  ["adverts may go to another group", "mcast_dst_ip 224.0.0.19", [], { multicastGroup: "224.0.0.19" as never }],
  [
    "use_vmac names its interface",
    "use_vmac",
    [],
    { vmac: { interface: "vrrp.7", mac: undefined, transmitOnBase: false } },
  ],
  [
    "a route without interface is not tracked",
    "virtual_routes {\n10.1.0.0/16 via 10.0.0.3\n10.2.0.0/16 via 10.0.0.3 no_track\n}",
    ["8 warning untracked-route: Warning - cannot track route 10.1.0.0/16 with no interface specified, not tracking"],
  ],
  ["debug does nothing", "debug 2", ["7 note no-effect: 'debug' is accepted and has nothing to do here"]],

  [
    "an unknown keyword is skipped with its block",
    "foo {\nbar {\n}\n}\npriority 5",
    ["7 warning unknown-keyword: Unknown keyword 'foo'"],
    { priority: 5 },
  ],
  [
    "a parameter must be there",
    "priority",
    ["7 error missing-parameter: Configuration line starting 'priority' is missing a parameter"],
  ],
  [
    "further words are noted",
    "priority 5 6 7",
    ["7 note extra-words: '6 7' is ignored after 'priority'"],
    { priority: 5 },
  ],
  [
    "a block that is not wanted is skipped",
    "nopreempt {\nx\n}",
    ["7 warning unexpected-brace: Unexpected '{' - ignoring"],
    { nopreempt: true },
  ],
  ["a block that is missing is said", "track_script", ["7 warning missing-block: 'track_script' has no block"]],
  [
    "the last of several counts",
    "priority 5\npriority 6",
    ["8 note repeated-keyword: 'priority' is given again in this block: the last one counts"],
    { priority: 6 },
  ],
  [
    "a switch is off, on or wrong",
    "lower_prio_no_advert\nhigher_prio_send_advert maybe",
    ["8 warning bad-switch: invalid switch 'maybe'"],
    { lowerPrioNoAdvert: true, higherPrioSendAdvert: false },
  ],
  [
    "switches are in lower case",
    "lower_prio_no_advert ON",
    ["7 warning bad-switch: invalid switch 'ON'"],
    { lowerPrioNoAdvert: false },
  ],
  [
    "skip_check_adv_addr off still sets it",
    "skip_check_adv_addr off",
    ["7 warning no-off-switch: 'off' does not switch 'skip_check_adv_addr' off: the keyword alone sets it"],
    { skipCheckAdvAddr: true },
  ],
  [
    "gratuitous ARP is sent at least once",
    "garp_master_repeat 0",
    ["7 warning out-of-range: garp_master_repeat must be greater than 0, setting to 1"],
  ],

  [
    "the batch after a lesser advert goes by global_defs, not by the instance's own batches",
    "garp_master_repeat 2\ngarp_master_delay 1",
    [],
    {
      garp: {
        ...{ masterDelay: seconds(1), masterRepeat: 2, masterRefresh: seconds(0), masterRefreshRepeat: 1 },
        ...{ lowerPrioDelay: seconds(5), lowerPrioRepeat: 5 },
        ...{ interval: seconds(0), neighbourInterval: seconds(0), extraInterfaces: seconds(0) },
      },
    },
  ],

  [
    "a tracked script must exist",
    "track_script {\nnone\n}",
    ["8 warning unknown-script: (A) track script 'none' not found, ignoring..."],
    { trackScripts: [] },
  ],
  [
    "an interface is tracked once",
    "track_interface {\neth1\neth1 weight 5\n}",
    ["9 warning duplicate-tracker: (A) duplicate track_interface 'eth1' - ignoring"],
    { trackInterfaces: [{ interface: "eth1", weight: 0, reverse: false }] },
  ],
  [
    "a tracker's weight is kept in range",
    "track_interface {\neth1 weight 300\neth2 weight -50 reverse\n}",
    ["8 warning out-of-range: number '300' outside range [-254, 254]"],
    {
      trackInterfaces: [
        { interface: "eth1", weight: 0, reverse: false },
        { interface: "eth2", weight: -50, reverse: true },
      ],
    },
  ],
  [
    "a tracker is ignored when its first word is not weight, or weight has no number",
    "track_interface {\neth1 weight\neth2 foo\neth3 reverse weight 5\n}",
    [
      "8 warning bad-tracker: (A) weight without value - ignoring",
      "9 warning bad-tracker: (A) unknown track option 'foo' - ignoring",
      "10 warning bad-tracker: (A) unknown track option 'reverse' - ignoring",
    ],
    { trackInterfaces: [] },
  ],
  [
    "a tracker with an unknown word behind its weight keeps the weight",
    "track_interface {\neth1 weight 5 backwards\n}",
    ["8 warning unknown-option: (A) unknown weight option 'backwards' - ignoring"],
    { trackInterfaces: [{ interface: "eth1", weight: 5, reverse: false }] },
  ],
  [
    "the own interface is tracked without being named",
    "track_interface {\neth0 weight 5\neth1\n}",
    ["1 warning own-interface: (A) Ignoring track_interface eth0 since own interface"],
    { trackInterfaces: [{ interface: "eth1", weight: 0, reverse: false }] },
  ],
  [
    "weights are useless with nopreempt",
    "nopreempt\ntrack_interface {\neth1 weight -50\n}",
    [
      "1 warning useless-weight: (A) weight -50 of 'eth1' moves no address: with nopreempt the others do not take over from a live MASTER",
    ],
  ],
  [
    "weights are useless for the owner",
    "priority 255\ntrack_interface {\neth1 weight -50\n}",
    ["1 warning useless-weight: (A) weight -50 of 'eth1' changes nothing: priority 255 is fixed"],
  ],
  [
    "a weight may be too small",
    "track_interface {\neth1 weight -2\n}",
    [
      "1 note small-weight: (A) weight -2 of 'eth1' is small: it moves the address only past peers between priority 100 and 98",
    ],
  ],
];

for (const [name, body, said, model = {}] of cases) {
  test(name, () => {
    const found = instance(body);
    assert.deepEqual(found.said, said);
    const [only] = found.vrrp?.instances ?? [];
    const shown = Object.fromEntries(Object.keys(model).map((key) => [key, only?.[key as keyof VrrpInstance]]));
    assert.deepEqual(shown, model);
  });
}

const address = (line: string) => {
  const { said, vrrp } = instance(`virtual_ipaddress {\n${line}\n}`, "interface eth0\nvirtual_router_id 7\n");
  return { said, addresses: vrrp?.instances[0]?.virtualAddresses };
};
const PLAIN = {
  address: "10.0.0.1",
  prefixLength: 24,
  interface: "eth0",
  broadcast: undefined,
  label: undefined,
  scope: "global",
  noTrack: false,
  peer: undefined,
  flags: [],
  nodad: false,
  preferredLifetime: undefined,
};
const NO_ADDRESS = "1 warning no-address: (A) No VIP specified; at least one is sensible";
const addressCases: readonly [line: string, said: string[], ...addresses: object[]][] = [
  ["10.0.0.1/24", [], PLAIN],
  [
    "10.0.0.1/24 dev eth1 label eth1:10 brd 10.0.0.255 scope link no_track",
    [],
    { ...PLAIN, interface: "eth1", label: "eth1:10", broadcast: "10.0.0.255", scope: "link", noTrack: true },
  ],
  ["10.0.0.1", ["5 note host-prefix: '10.0.0.1' has no prefix length: /32 is taken"], { ...PLAIN, prefixLength: 32 }],
  ["10.0.0.1/20 brd +", [], { ...PLAIN, prefixLength: 20, broadcast: "10.0.15.255" }],
  ["10.0.9.1/20 brd -", [], { ...PLAIN, address: "10.0.9.1", prefixLength: 20, broadcast: "10.0.0.0" }],
  [
    "10.0.0.1/32 brd +",
    ["5 warning bad-broadcast: Address prefix length 32 too long for broadcast"],
    { ...PLAIN, prefixLength: 32 },
  ],
  ["10.0.0.1/24 brd x", ["5 warning bad-broadcast: Invalid broadcast address 'x' - ignoring"], PLAIN],
  ["10.0.0.1/24 scope 200", [], { ...PLAIN, scope: 200 }],
  ["10.0.0.1/24 scope blah", ["5 warning bad-scope: Invalid scope 'blah' specified for 10.0.0.1/24 - ignoring"], PLAIN],
  [
    "10.0.0.1/33",
    ["5 warning bad-address: Invalid address prefix len '33' for address '10.0.0.1/33' - using 32"],
    { ...PLAIN, prefixLength: 32 },
  ],
  [
    "10.0.0.300",
    [
      "1 warning no-address: (A) No VIP specified; at least one is sensible",
      "5 warning bad-address: VRRP parsed invalid IP '10.0.0.300'. skipping IP...",
    ],
  ],
  [
    "10.0.0.1/24 10.0.0.2/24",
    ["5 warning unknown-option: Unknown configuration entry '10.0.0.2/24' for ip address - ignoring"],
    PLAIN,
  ],
  ["10.0.0.1/24 label", ["5 warning missing-value: No label parameter specified for 10.0.0.1/24"], PLAIN],
  [
    "10.0.0.1/24 label abcdefghijklmnop",
    [
      NO_ADDRESS,
      "5 warning bad-label: Address label 'abcdefghijklmnop' is longer than maximum length 15 - removing address",
    ],
  ],
  [
    "10.0.0.1/24 dev averylonginterfacename",
    [NO_ADDRESS, "5 warning bad-interface: 'averylonginterfacename' cannot be the name of an interface"],
  ],
  [
    "10.0.0.1/24 use_vmac peer 10.0.0.2",
    [
      "5 warning bad-address: Cannot specify address prefix when specifying peer address - ignoring",
      "5 warning not-implemented: 'use_vmac' of an address is not implemented yet",
    ],
    { ...PLAIN, prefixLength: 32, peer: "10.0.0.2" },
  ],
  ["10.0.0.1/24\n10.0.0.1/24", ["6 warning duplicate-address: (A) address '10.0.0.1' is given twice"], PLAIN, PLAIN],
  [
    "10.0.0.1/24\nfe80::1/64",
    ["6 warning mixed-families: (A): address family must match VRRP instance [fe80::1/64] - ignoring"],
    PLAIN,
  ],
  ["fe80::1/64", [], { ...PLAIN, address: "fe80::1", prefixLength: 64 }],
  [
    "fe80::1/64 label x scope link",
    [
      "5 warning not-for-ipv6: Cannot specify label for IPv6 addresses (fe80::1) - ignoring label",
      "5 warning not-for-ipv6: Cannot specify scope for IPv6 addresses (fe80::1) - ignoring scope",
    ],
    { ...PLAIN, address: "fe80::1", prefixLength: 64 },
  ],
  [
    "10.0.0.1/24 home -nodad mngtmpaddr noprefixroute autojoin preferred_lft forever",
    [],
    {
      ...PLAIN,
      flags: ["home", "mngtmpaddr", "noprefixroute", "autojoin"],
      nodad: true,
      preferredLifetime: "forever",
    },
  ],
];
for (const [line, said, ...addresses] of addressCases) {
  test(`virtual_ipaddress { ${line.replaceAll("\n", " ; ")} }`, () => {
    assert.deepEqual(address(line), { said, addresses });
  });
}

const files: readonly [name: string, text: string, said: string[]][] = [
  [
    "an instance needs an interface and an id",
    "vrrp_instance A {\nvirtual_ipaddress { 10.0.0.1/24 }\n}",
    [
      "1 error no-interface: (A) has no interface",
      "1 error no-virtual-router-id: (A) the virtual router id must be set",
    ],
  ],
  [
    "unicast peers with a source address need no interface; default_interface has the addresses that name none",
    "global_defs {\ndefault_interface eth7\n}\nvrrp_instance A {\nvirtual_router_id 1\nunicast_src_ip 10.0.0.2\ntrack_src_ip\nuse_vmac\nunicast_peer {\n10.0.0.3\n}\nvirtual_ipaddress {\n10.0.0.1/24\n10.0.0.9/24 dev eth1\n}\n}",
    [
      "4 note routed-unicast: (A) has no interface: its adverts go by the routing table, and no link of its own is tracked",
      "7 warning unicast-without-interface: (A) track_src_ip needs an interface - ignoring",
      "8 warning bad-vmac: (A) use_vmac needs an interface - ignoring",
    ],
  ],
  [
    "without a source address nobody could tell where routed unicast comes from",
    "vrrp_instance A {\nvirtual_router_id 1\nunicast_peer {\n10.0.0.3\n}\nvirtual_ipaddress {\n10.0.0.1/24\n}\n}",
    ["1 error no-interface: (A) has no interface"],
  ],
  [
    "an instance needs a name",
    "vrrp_instance {\n}",
    ["1 error missing-parameter: Configuration line starting 'vrrp_instance' is missing a parameter"],
  ],
  ["an address is sensible", "vrrp_instance A {\ninterface e\nvirtual_router_id 1\n}", [NO_ADDRESS]],
  [
    "no_virtual_ipaddress says that none is meant",
    "vrrp_instance A {\ninterface e\nvirtual_router_id 1\nno_virtual_ipaddress\n}",
    [],
  ],
  [
    "255 addresses are the most",
    `vrrp_instance A {\ninterface e\nvirtual_router_id 1\nvirtual_ipaddress {\n${Array.from({ length: 256 }, (_, i) => `10.0.1.${i}/24`).join("\n")}\n}\n}`,
    ["260 warning too-many-addresses: (A) has 256 addresses; an advert holds 255 - excess moved to excluded"],
  ],
  [
    "an id is used once on an interface",
    `vrrp_instance A {\n${BASE}}\nvrrp_instance B {\n${BASE}}\nvrrp_instance C {\n${BASE.replace("eth0", "eth1")}}`,
    [
      "10 error duplicate-virtual-router-id: 'A' and 'B' both use VRID 7 with IPv4 on interface eth0",
      "12 warning shared-address: 'A' and 'B' both have the address 10.0.0.1",
      "19 warning shared-address: 'A' and 'C' both have the address 10.0.0.1",
    ],
  ],
  [
    "an instance is defined once",
    `vrrp_instance A {\n${BASE}}\nvrrp_instance A {\nfoo\n}`,
    ["8 warning already-defined: vrrp instance 'A' already defined"],
  ],
  [
    "a keyword of another block is named",
    "global_defs {\ngarp_master_delay 5\n}\nstate MASTER",
    [
      "2 warning unknown-keyword: Unknown keyword 'garp_master_delay'",
      "4 warning unknown-keyword: Unknown keyword 'state'",
    ],
  ],
  [
    "a script without a command is removed",
    "vrrp_script s {\ninterval 2\n}",
    ["1 warning no-script: No script set for vrrp_script 's' - removing"],
  ],
  [
    "a script must be above its use",
    `vrrp_instance A {\n${BASE}track_script {\ns\n}\n}\nvrrp_script s {\nscript /s\n}`,
    [
      "8 warning script-defined-below: (A) track script 's' not found, ignoring...",
      "11 note script-security: Scripts are executed but enable_script_security is not set",
    ],
  ],
  [
    "script numbers have ranges",
    "global_defs {\nenable_script_security\n}\nvrrp_script s {\nscript /s\ninterval 0\ntimeout 1.5\nweight 300\nrise 0\nfall x\n}",
    [
      "6 warning out-of-range: (s): vrrp script interval must be greater than 0, setting to 1",
      "7 warning bad-number: invalid number '1.5'",
      "8 warning out-of-range: number '300' outside range [-253, 253]",
      "9 warning out-of-range: number '0' outside range [1, 2147483647]",
      "10 warning bad-number: invalid number 'x'",
    ],
  ],
  [
    "router_id without a name is ignored",
    "global_defs {\nrouter_id\n}",
    ["2 warning missing-value: routerid name missing - ignoring"],
  ],
  [
    "enable_script_security has no off",
    "global_defs {\nenable_script_security 0\n}",
    ["2 warning no-off-switch: '0' does not switch it off: the keyword alone enables script security"],
  ],
  [
    "global values have ranges",
    "global_defs {\nvrrp_mcast_group4 10.0.0.1\nvrrp_version 4\nvrrp_garp_interval 0\ndynamic_interfaces foo\nvrrp_startup_delay -1\n}",
    [
      "2 warning bad-address: vrrp_mcast_group4 '10.0.0.1' is not multicast. Skipping",
      "3 warning out-of-range: number '4' outside range [2, 3]",
      "4 note zero-interval: vrrp_garp_interval 0 is what holds without it; keepalived logs it as out of range",
      "5 warning unknown-option: Unknown dynamic_interfaces option 'foo'",
      "6 warning out-of-range: number '-1' outside range [0, 86400]",
    ],
  ],
  [
    "vrrp_strict drops traffic to an address that is not owned",
    `global_defs {\nvrrp_strict\n}\nvrrp_instance A {\n${BASE}}`,
    [
      "4 warning strict-drops-traffic: traffic to the addresses of 'A' will be dropped: strict mode with priority 100 does not accept it",
    ],
  ],
  [
    "a group has members that exist, in one group",
    `vrrp_instance A {\n${BASE}}\nvrrp_sync_group G {\ngroup {\nA\nA Z\n}\n}\nvrrp_sync_group H {\ngroup { A }\n}\nvrrp_sync_group I {\nB\n}`,
    [
      "8 warning single-member: Sync group 'G' has only 1 virtual router - this probably isn't what you want",
      "11 warning member-of-two: Virtual router 'A' cannot exist in more than one sync group; ignoring 'G'",
      "11 warning unknown-member: Virtual router 'Z' specified in sync group 'G' doesn't exist - ignoring",
      "14 warning empty-sync-group: Sync group 'H' has no matching virtual router. removing",
      "15 warning member-of-two: Virtual router 'A' cannot exist in more than one sync group; ignoring 'H'",
      "17 warning empty-sync-group: Sync group 'I' has no virtual router(s). removing",
      "18 warning unknown-keyword: Unknown keyword 'B'",
    ],
  ],
  [
    "what is inside virtual_server is checked for its words",
    "virtual_server 10.0.0.1 80 {\nlb_algo rr\nreal_server 10.0.0.2 80 {\nTCP_CHECK {\nconnect_timeot 3\n}\n}\n}",
    [
      "1 warning no-protocol: Virtual server [10.0.0.1]:none:80: no protocol set - defaulting to UDP",
      "1 warning no-method: Virtual server [10.0.0.1]:udp:80: no forwarding method set, setting default NAT",
      "5 warning unknown-keyword: Unknown keyword 'connect_timeot'",
    ],
  ],
  [
    "a network namespace is an error",
    "net_namespace x",
    ["1 error not-implemented: 'net_namespace' is not implemented yet"],
  ],
];
for (const [name, text, said] of files) {
  test(name, () => assert.deepEqual(loadText(`${text}\n`).said, said));
}

test("a word that a definition wrote is shown with what it came to", () => {
  const { said } = loadText(
    `$P=256\nvrrp_instance A {\n${BASE}advert_int $P\nmcast_src_ip $P\npriority $P\n$P {\n}\n}`,
  );
  assert.deepEqual(said, [
    "8 warning out-of-range: number '256' outside range [0.01, 255]",
    "9 warning bad-address: Configuration error: VRRP instance[A] malformed src address[256]. Skipping... (expanded to '256')",
    "10 warning out-of-range: number '256' outside range [1, 255]",
    "11 warning unknown-keyword: Unknown keyword '256'",
  ]);
  const cut = loadText(
    `$S=longer_than_8\nvrrp_instance A {\n${BASE}authentication {\nauth_type PASS\nauth_pass $S\n}\n}`,
  );
  assert.deepEqual(cut.said, [
    "10 warning auth-pass-too-long: Truncating auth_pass to 8 characters (expanded to 'longer_than_8')",
  ]);
});

test("every diagnostic names a cure where a near word or the right block is known", () => {
  const help = (text: string) => loadText(text).diagnostics[0]?.help;
  assert.equal(help("vrrp_instanc A {\n}\nglobal_defs {\n}"), "Did you mean 'vrrp_instance'?");
  assert.equal(help("global_defs {\ngarp_master_delay 5\n}"), "In global_defs it is called 'vrrp_garp_master_delay'");
  assert.equal(help("global_defs {\nnopreempt\n}"), "'nopreempt' belongs in vrrp_instance");
  assert.equal(
    help("global_defs {\nvrrp_instance A {\n}\n}"),
    "'vrrp_instance' stands outside every block: is a '}' missing above?",
  );
  assert.equal(help("global_defs {\n<<<<<<< HEAD\n}"), "This is left over from a merge");
  assert.equal(help("global_defs {\nqqqqqqqq {\n}\n}"), "It and its block are skipped");
  assert.equal(help("global_defs {\nqqqqqqqq\n}"), "The line is skipped");
});

test("what an advert has no room for is held as an excluded address", () => {
  const lines = Array.from({ length: 257 }, (_, i) => `10.0.${i >> 8}.${i & 255}/24`).join("\n");
  const own = "virtual_ipaddress_excluded {\n10.0.9.9/24\n}";
  const { vrrp } = loadText(
    `vrrp_instance A {\ninterface e\nvirtual_router_id 1\n${own}\nvirtual_ipaddress {\n${lines}\n}\n}`,
  );
  assert.equal(vrrp?.instances[0]?.virtualAddresses.length, 255);
  assert.deepEqual(
    vrrp?.instances[0]?.excludedAddresses.map(({ address }) => address),
    ["10.0.0.255", "10.0.1.0", "10.0.9.9"],
  );
});

test("members of a group lose weighted trackers unless the group keeps them", () => {
  const text = (extra: string) =>
    `vrrp_instance A {\n${BASE}track_interface {\neth1 weight 50\neth2\n}\n}\nvrrp_instance B {\n${BASE.replace("7", "8").replace("0.1/", "0.2/")}}\nvrrp_sync_group G {\ngroup {\nA\nB\n}\n${extra}\n}`;
  const without = loadText(text(""));
  assert.deepEqual(without.said, [
    "1 warning weight-in-group: (A) ignoring tracked interface 'eth1' with weights due to SYNC group",
  ]);
  assert.deepEqual(without.vrrp?.instances[0]?.trackInterfaces, [{ interface: "eth2", weight: 0, reverse: false }]);
  const kept = loadText(text("sync_group_tracking_weight"));
  assert.deepEqual(kept.said, []);
  assert.equal(kept.vrrp?.instances[0]?.trackInterfaces.length, 2);
  assert.equal(kept.vrrp?.syncGroups[0]?.trackingWeight, true);
});

test("without interface, addresses are on default_interface or where they say", () => {
  const body = "virtual_router_id 7\nunicast_src_ip 10.0.0.2\nunicast_peer {\n10.0.0.3\n}\n";
  const vips = "virtual_ipaddress {\n10.0.0.1/24\n10.0.0.9/24 dev eth1\n}\n";
  const { vrrp } = loadText(`global_defs {\ndefault_interface eth7\n}\nvrrp_instance A {\n${body}${vips}}\n`);
  const [one] = vrrp?.instances ?? [];
  assert.equal(one?.interface, "");
  assert.deepEqual(
    one?.virtualAddresses.map(({ interface: name }) => name),
    ["eth7", "eth1"],
  );
});
