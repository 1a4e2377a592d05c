/**
 * Virtual servers: the scenarios' models, evenkeel's own keywords, ranges and limits. What keepalived itself says of
 * hundreds of other cases is in keepalived-verdicts.test.ts.
 */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { OWN_KEYWORDS } from "../../../src/config/keepalived/keywords-lvs.ts";
import { load } from "../../../src/config/load.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";

const FIXTURES = new URL("../../fixtures/keepalived/", import.meta.url);

function loadText(text: string) {
  const { configuration, diagnostics, dropped } = load(["/k"], memoryEnvironment({ "/k": text }));
  const said = diagnostics.map(({ severity, code, message, span }) => {
    const { line, column } = span.source.positionOf(span.start);
    return `${line}:${column} ${severity} ${code.replace("keepalived/", "")}: ${message}`;
  });
  return { ...configuration, said, dropped };
}

const loadFixture = (name: string) => loadText(readFileSync(new URL(name, FIXTURES), "utf8"));

/** A plain virtual server; the body begins in line 5. */
const virtualServer = (body: string, head = "10.0.0.1 80", kind = "NAT") =>
  `virtual_server ${head} {\nlb_algo rr\nlb_kind ${kind}\nprotocol TCP\n${body}\nreal_server 10.0.1.1 80 {\n}\n}\n`;

const checkOf = (settings: string, server = "", checker = "TCP_CHECK") =>
  `virtual_server 10.0.0.1 80 {\nlb_algo rr\nlb_kind NAT\nprotocol TCP\n${settings}\n` +
  `real_server 10.0.1.1 80 {\n${server}\n${checker} {\n}\n}\n}\n`;

const servicesOf = (group: string) =>
  (
    loadText(`virtual_server_group g {\n${group}\n}\n${virtualServer("", "group g", "TUN")}`).director
      ?.virtualServers[0]?.services ?? []
  ).map((service) => (service.kind === "mark" ? `mark ${service.mark}` : `${service.address} ${service.port}`));

for (const [name, vip, servers] of [
  ["s2-lb1.conf", "192.168.1.10", ["192.168.1.201", "192.168.1.202"]],
  ["s3-lb1.conf", "172.28.128.200", ["172.28.128.31", "172.28.128.32"]],
] as const) {
  test(`${name} gives one DR service with two servers that are checked every 5 seconds`, () => {
    const { director, said } = loadFixture(name);
    assert.deepEqual(said, []);
    assert.deepEqual(JSON.parse(JSON.stringify(director)), {
      global: {
        timeouts: { tcp: 0, tcpFin: 0, udp: 0 },
        flush: false,
        flushOnStop: "no",
        fifos: [],
        enableScriptSecurity: false,
        rsInitNotifies: false,
        mailEveryCheck: true,
      },
      virtualServers: [
        {
          name: `[${vip}]:tcp:80`,
          services: [{ kind: "address", protocol: "tcp", address: vip, port: 80 }],
          scheduler: "rr",
          flags: { fallback: false, port: false, flag3: false },
          onePacket: false,
          netmaskBits: 32,
          onServerDown: "reset",
          quorum: 1,
          hysteresis: 0,
          alpha: false,
          omega: false,
          haSuspend: false,
          smtpAlert: false,
          realServers: servers.map((address) => ({
            key: { address, port: 80 },
            settings: {
              method: "dr",
              weight: 1,
              upperThreshold: 0,
              lowerThreshold: 0,
              tunnel: { type: "ipip", port: 0, checksum: "none" },
              draining: false,
            },
            inhibitOnFailure: false,
            smtpAlert: true,
            checkers: [
              {
                delayLoop: 5_000_000,
                retry: 1,
                delayBeforeRetry: 1_000_000,
                warmup: 5_000_000,
                alpha: false,
                logAllFailures: false,
                connection: { address, port: 80, timeout: 2_000_000, path: "direct" },
                type: "TCP_CHECK",
              },
            ],
          })),
        },
      ],
      trackFiles: [],
    });
  });
}

test("S1 has virtual routers only: there is nothing for the director", () => {
  assert.equal(loadFixture("s1-lb1.conf").director, undefined);
});

test("words of global_defs alone are a configuration of the director", () => {
  const { director } = loadText("global_defs {\nconnection_table_size 4096\n}\n");
  assert.equal(director?.global.connectionTableSize, 4096);
  assert.deepEqual(director?.virtualServers, []);
});

test("a virtual server that names no protocol is for UDP, and that is a warning at its address", () => {
  const { director, said } = loadText(
    "virtual_server 10.0.0.1 80 {\nlb_algo rr\nlb_kind DR\nreal_server 10.0.1.1 80 {\n}\n}\n",
  );
  assert.deepEqual(said, [
    "1:16 warning no-protocol: Virtual server [10.0.0.1]:none:80: no protocol set - defaulting to UDP",
  ]);
  assert.equal(director?.virtualServers[0]?.name, "[10.0.0.1]:udp:80");
});

test("on_server_down says what becomes of connections; without it they are reset", () => {
  for (const [body, expected] of [
    ["", "reset"],
    ["on_server_down move", "move"],
    ["on_server_down keep", "keep"],
    ["on_server_down reset", "reset"],
  ] as const)
    assert.equal(loadText(virtualServer(body)).director?.virtualServers[0]?.onServerDown, expected);
  const { director, said } = loadText(virtualServer("on_server_down drop"));
  assert.equal(director?.virtualServers[0]?.onServerDown, "reset");
  assert.deepEqual(said, ["5:16 warning unknown-option: unknown on_server_down 'drop' - ignoring"]);
});

test("check_path goes from the virtual server to real servers and checkers, the nearest one wins", () => {
  const pathOf = (text: string) => {
    const [checker] = loadText(text).director?.virtualServers[0]?.realServers[0]?.checkers ?? [];
    return checker !== undefined && "connection" in checker ? checker.connection.path : undefined;
  };
  assert.equal(pathOf(checkOf("")), "direct");
  assert.equal(pathOf(checkOf("check_path data_plane")), "data_plane");
  assert.equal(pathOf(checkOf("check_path data_plane", "check_path direct")), "direct");
  assert.equal(pathOf(checkOf("", "TCP_CHECK {\ncheck_path data_plane\n}", "PING_CHECK")), "data_plane");
  assert.deepEqual(loadText(checkOf("check_path virtual")).said, [
    "5:12 warning unknown-option: unknown check_path 'virtual' - ignoring",
  ]);
});

test("connection_table_size outside of what can be is said and left away", () => {
  const { director, said } = loadText(`global_defs {\nconnection_table_size 10\n}\n${virtualServer("")}`);
  assert.equal(director?.global.connectionTableSize, undefined);
  assert.deepEqual(said, ["2:23 warning out-of-range: number '10' outside range [1024, 134217728]"]);
});

test("the page lists evenkeel's own keywords where it says that they are", () => {
  const page = readFileSync(new URL("../../../docs/reference/keepalived.md", import.meta.url), "utf8");
  const own = page.slice(page.indexOf("## Keywords of evenkeel's own"), page.indexOf("## VRRP"));
  const listed = [...own.matchAll(/^- `([a-z_]+) /gm)].map(([, name = ""]) => name);
  assert.deepEqual(new Set(listed), new Set(Object.values(OWN_KEYWORDS).flat()));
});

test("ranges of a group are written out, each address once", () => {
  assert.deepEqual(servicesOf("10.0.0.254-10.0.1.1 80"), [
    "10.0.0.254 80",
    "10.0.0.255 80",
    "10.0.1.0 80",
    "10.0.1.1 80",
  ]);
  assert.deepEqual(servicesOf("10.0.0.8/30 81\n10.0.0.9 81\n10.0.0.9 82\nfwmark 7"), [
    "10.0.0.8 81",
    "10.0.0.9 81",
    "10.0.0.10 81",
    "10.0.0.11 81",
    "10.0.0.9 82",
    "mark 7",
  ]);
  assert.deepEqual(servicesOf("2001:db8::fffe-2001:db8::1:1 80"), [
    "2001:db8::fffe 80",
    "2001:db8::ffff 80",
    "2001:db8::1:0 80",
    "2001:db8::1:1 80",
  ]);
  assert.deepEqual(servicesOf("10.0.0.7-9 80"), ["10.0.0.7 80", "10.0.0.8 80", "10.0.0.9 80"]);
});

test("a group of more addresses than any needs is refused, whether one line says so or many", () => {
  // biome-ignore lint/suspicious/noTemplateCurlyInString: it is keepalived's
  const many = "~SEQ(i,0,20) 10.0.${i}.0/24 80";
  for (const [group, said] of [
    ["10.0.0.0/8 80", "2:1 error group-limit: '10.0.0.0/8' stands for more than 4096 addresses - skipping"],
    ["2001:db8::/32 80", "2:1 error group-limit: '2001:db8::/32' stands for more than 4096 addresses - skipping"],
  ]) {
    const { said: all } = loadText(`virtual_server_group g {\n${group}\n}\n`);
    assert.equal(all[1], said);
  }
  const { said } = loadText(`virtual_server_group g {\n${many}\n}\n`);
  assert.match(said.join("\n"), /error group-limit: virtual server group 'g' has more than 4096 addresses/);
  assert.equal(servicesOf("10.0.0.0/20 80").length, 4096);
});

test("all virtual servers together stand for at most 65536 services", () => {
  const group = (at: number) => `virtual_server_group g${at} {\n10.${at}.0.0/20 80\n}\n`;
  const text = Array.from({ length: 17 }, (_, at) => `${group(at)}${virtualServer("", `group g${at}`)}`).join("");
  const { director, said } = loadText(text);
  assert.equal(director?.virtualServers.length, 16);
  assert.deepEqual(
    said.map((line) => line.replace(/^\S+ /, "")),
    ["error group-limit: More than 65536 virtual services"],
  );
});

test("a real server above the lb_kind that is meant for it is said", () => {
  const { director, said } = loadText(
    "virtual_server 10.0.0.1 80 {\nlb_algo rr\nprotocol TCP\nreal_server 10.0.1.1 80 {\n}\nlb_kind DR\n}\n",
  );
  assert.equal(director?.virtualServers[0]?.realServers[0]?.settings.method, "nat");
  assert.deepEqual(said, ["4:13 warning method-below: lb_kind DR comes too late for real server 10.0.1.1: it is NAT"]);
});

test("scripts of checkers get the user that the block names", () => {
  const text = checkOf("", "", "MISC_CHECK").replace("MISC_CHECK {", 'MISC_CHECK {\nmisc_path "/bin/a b"\nuser u :g');
  const [checker] = loadText(text).director?.virtualServers[0]?.realServers[0]?.checkers ?? [];
  assert.deepEqual(checker?.type === "MISC_CHECK" ? checker.command : undefined, {
    argv: ["/bin/a", "b"],
    user: { user: "u", group: "g" },
  });
});

test("scripts without script security are noted once, at the first virtual server that has one", () => {
  const { said } = loadText(
    `${virtualServer("")}${virtualServer("quorum_up /bin/x\nquorum_down /bin/y", "10.0.0.2 80")}`,
  );
  assert.deepEqual(said, ["9:16 note script-security: Scripts are executed but enable_script_security is not set"]);
});

test("a check without any port is said, a ping is not one", () => {
  const text = (checker: string) =>
    `virtual_server fwmark 3 {\nlb_algo rr\nlb_kind NAT\nreal_server 10.0.1.1 {\n${checker} {\n}\n}\n}\n`;
  assert.deepEqual(loadText(text("TCP_CHECK")).said, [
    "5:1 warning no-check-port: TCP_CHECK of 10.0.1.1 has no port to connect to",
  ]);
  assert.deepEqual(loadText(text("PING_CHECK")).said, []);
});

test("BFD_CHECK and SCTP are refused with a reason", () => {
  assert.deepEqual(loadText(checkOf("", "BFD_CHECK {\nname b\n}")).said, [
    "7:1 error not-implemented: 'BFD_CHECK' is not implemented yet",
  ]);
  assert.deepEqual(
    loadText(virtualServer("protocol SCTP")).said.at(-1),
    "5:10 error sctp: protocol SCTP is not implemented yet",
  );
});

test("a misspelt scheduler or method comes with what was meant", () => {
  const helpOf = (body: string) =>
    load(["/k"], memoryEnvironment({ "/k": virtualServer(body) })).diagnostics.find(
      ({ severity }) => severity === "warning",
    )?.help;
  assert.equal(helpOf("lb_algo wlcc"), "Did you mean 'wlc'?");
  assert.equal(helpOf("lb_kind dr"), "Did you mean 'DR'?");
});

test("check_path data_plane says where there is no other path to look at", () => {
  const said = (head: string, lines: string, server: string) =>
    loadText(
      `virtual_server ${head} {\nlb_algo rr\n${lines}\ncheck_path data_plane\n${server} {\nTCP_CHECK {\nconnect_port 80\n}\n}\n}`,
    ).said;
  const v4 = "real_server 10.0.1.1 80";
  const message = (what: string, address = "10.0.1.1") =>
    `warning not-implemented: check_path data_plane: ${what}: ${address} itself is checked`;
  assert.deepEqual(said("10.0.0.1 80", "lb_kind DR\nprotocol TCP", v4), []);
  assert.deepEqual(said("fd00::1 80", "lb_kind TUN\nprotocol TCP", "real_server fd00::2 80"), []);
  assert.deepEqual(said("10.0.0.1 80", "lb_kind NAT\nprotocol TCP", v4), [
    "6:13 note no-effect: check_path data_plane: with NAT the check of 10.0.1.1 goes the way of the traffic anyway",
  ]);
  assert.deepEqual(said("10.0.0.1 80", "lb_kind DR\nprotocol UDP", v4), [`6:13 ${message("UDP is not looked at")}`]);
  assert.deepEqual(said("10.0.0.1 80", "lb_kind TUN type gre\nprotocol TCP", v4), [
    `6:13 ${message("tunnels of type gre are not looked at")}`,
  ]);
  assert.deepEqual(said("fd00::1 80", "lb_kind TUN\nprotocol TCP", v4), [
    `6:13 ${message("tunnels between IPv4 and IPv6 are not looked at")}`,
  ]);
  assert.deepEqual(said("fwmark 3", "lb_kind DR", "real_server 10.0.1.1"), [
    `5:13 ${message("a service by firewall mark has no address to ask for")}`,
  ]);
  assert.deepEqual(said("10.0.0.1", "lb_kind DR\nprotocol TCP\npersistence_timeout 9", "real_server 10.0.1.1"), [
    `7:13 ${message("a service of all ports has none to ask for")}`,
  ]);
});

test("mail goes nowhere without smtp_server, and not to what is no address", () => {
  const mail = (lines: string) => loadText(`global_defs {\n${lines}\n}\n${virtualServer("")}`);
  const without = mail("notification_email {\nops@example.net\n}");
  assert.equal(without.director?.global.mail, undefined);
  assert.deepEqual(without.said, [
    "2:1 warning missing-value: notification_email without smtp_server: no mail is sent",
  ]);
  const odd = mail(
    'notification_email {\n"a@b, <c@d>" root "x y" "E <e@f>"\n}\nsmtp_server mail.example\nsmtp_alert off',
  );
  assert.deepEqual(odd.said, [
    "3:1 warning bad-address: 'a@b, <c@d>' is no mail address - ignoring",
    "3:19 warning bad-address: 'x y' is no mail address - ignoring",
  ]);
  assert.deepEqual(odd.director?.global.mail?.to, ["root", "E <e@f>"]);
  assert.deepEqual(odd.director?.global.mail?.server, { host: "mail.example", port: 25 });
  assert.equal(odd.director?.virtualServers[0]?.realServers[0]?.smtpAlert, false);
});
