/** keepalived_check.data: ours beside the file that keepalived 2.2.7 wrote for the same configuration and states. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { instantAt } from "../../../src/base/time.ts";
import type { DirectorConfiguration } from "../../../src/config/model/virtual-server.ts";
import { loadFromDisk } from "../../../src/daemon/configuration-files.ts";
import type { CheckReport, DirectorReport } from "../../../src/daemon/director/virtual-server-report.ts";
import { renderCheckerData } from "../../../src/daemon/supervisor/checker-dump.ts";
import { checkerName, serverName } from "../../../src/health/checker-lines.ts";

const fixture = (name: string) => new URL(`../../fixtures/vrrp/dump/${name}`, import.meta.url);

/** What keepalived had found out 12 s after the start: which of each server's checkers had run, and passed. */
const RAN: Readonly<Record<string, readonly CheckReport["state"][]>> = {
  "[127.0.0.1]:tcp:81": ["waiting"],
  "[127.0.0.2]:tcp:81": ["waiting"],
  "[127.0.0.3]:none:0": ["passed"],
  "[127.0.0.4]:udp:80": ["failed", "failed", "waiting", "waiting"],
};
const DOWN = new Set(["[127.0.0.1]:tcp:81", "[127.0.0.2]:tcp:81", "[127.0.0.4]:udp:80"]);
/** Down and in the table: it is inhibited. */
const INHIBITED = "[127.0.0.1]:tcp:81";
const WITHOUT_QUORUM = new Set(["[10.3.0.10]:tcp:80", "[g1]:0"]);

function reportOf({ virtualServers }: DirectorConfiguration): DirectorReport {
  return {
    table: {} as DirectorReport["table"],
    virtualServers: virtualServers.map((virtual) => ({
      name: virtual.name,
      services: [],
      scheduler: virtual.scheduler,
      quorum: virtual.quorum,
      quorumUp: !WITHOUT_QUORUM.has(virtual.name),
      weight: 0,
      // ha_suspend, and its address is on nobody.
      suspended: virtual.haSuspend,
      sorryServer: undefined,
      servers: virtual.realServers.map((server) => {
        const name = serverName(virtual, server.key);
        const isUp = !DOWN.has(name);
        return {
          name,
          method: server.settings.method,
          state: isUp ? "UP" : "DOWN",
          weight: isUp ? server.settings.weight : name === INHIBITED ? 0 : undefined,
          configuredWeight: server.settings.weight,
          active: 0,
          inactive: 0,
          persistent: 0,
          connections: 0,
          since: instantAt(0),
          cause: "",
          drain: undefined,
          checks: server.checkers.map((checker, place) => ({
            name: checkerName(checker),
            state: RAN[name]?.[place] ?? "waiting",
            detail: "",
            at: undefined,
            retries: 0,
          })),
        };
      }),
    })),
  };
}

/** Lines of theirs that ours leaves out, as docs/guides/keepalived.md says. */
const NOT_OURS =
  /SSL definitions|Using autogen SSL|System is compiled|Virtual server group|Virtual Server Group|^ {3}(VIP|FWMARK)|Alive: |reloaded|VirtualHost|connection timeout|delay_loop|persistence granularity|default forwarding|previous effective|^ {3}Delay loop = \d+\.|Current weight|Retries iterations|Default delay before|Last (ran|status)|^ {3}Inhibit on failure is OFF$|^ {3}alive = 1$/;

/** By tunnel a server has the port of the service, whatever the file says; theirs shows what the file says. */
const ofTunnel = (line: string): string =>
  line.replace("[127.0.0.4]:udp:80", "[127.0.0.4]:udp:83").replace("127.0.0.4, RPORT = 0", "127.0.0.4, RPORT = 83");

/** Theirs takes an SMTP_CHECK with a host block to have no time-out, and shows it. */
const withTimeout = (line: string): string => line.replace("Timeout = 0.000000", "Timeout = 5.000000");

const comparable = (text: string): string[] =>
  text
    .slice(text.indexOf("------< LVS Topology"))
    .trimEnd()
    .split("\n")
    .filter((line) => !NOT_OURS.test(line))
    .map((line) => withTimeout(ofTunnel(line)));

test("_check.data says line by line what keepalived says of virtual servers, real servers and checkers", () => {
  const { director } = loadFromDisk([fixture("check.conf").pathname], { configId: undefined }).configuration;
  assert.ok(director);
  const ours = renderCheckerData({
    configuration: director,
    report: reportOf(director),
    head: ["------< Global definitions >------"],
    command: ({ argv }) => ({
      text: argv.map((word) => `'${word.replace(/^\/bin\//, "/usr/bin/")}'`).join(" "),
      owner: "0:0",
    }),
  });
  assert.deepEqual(comparable(ours), comparable(readFileSync(fixture("check.data"), "utf8")));
});
