/** `check_path data_plane` in DR mode: a balancer that owns the VIP, and a real server that has it or has it not. */

import assert from "node:assert/strict";
import { test } from "../support/bpf-tests.ts";
import { DirectorDaemon, VIP } from "../support/director-daemon.ts";
import { until } from "../support/until.ts";
import { EVENKEEL } from "../support/vrrp-pair.ts";

const virtual = (kind: string) => `virtual_server ${VIP} 80 {
 lb_algo rr
 lb_kind ${kind}
 protocol TCP
 delay_loop 0.3
 warmup 0.1
 real_server 10.1.1.2 80 {
  TCP_CHECK {
   connect_timeout 0.5
   check_path data_plane
   retry 0
  }
 }
}
`;

test("a server without the VIP is found, with the missing piece, and comes in once it has it", async () => {
  await using daemon = await DirectorDaemon.start(virtual("DR"), ["rs1"]);
  await until("it is down", async () => (await daemon.realServer(`[${VIP}]:tcp:80`, "10.1.1.2")).state === "DOWN");
  const { checks } = await daemon.realServer(`[${VIP}]:tcp:80`, "10.1.1.2");
  assert.equal(
    checks[0]?.detail,
    `the server does not accept ${VIP}: it is not on its lo and there is no REDIRECT for it`,
  );
  await daemon.servers.get("rs1")?.node.run("ip", "addr", "add", `${VIP}/32`, "dev", "lo");
  await until("it is up", async () => (await daemon.realServer(`[${VIP}]:tcp:80`, "10.1.1.2")).state === "UP");
  await until("the reason", async () => {
    const [check] = (await daemon.realServer(`[${VIP}]:tcp:80`, "10.1.1.2")).checks;
    return check?.detail === `answers for ${VIP}:80`;
  });
});

test("a server behind IP in IP is found to take nothing out of it, and comes in once it does", async () => {
  await using daemon = await DirectorDaemon.start(virtual("TUN"), ["rs1"]);
  await until("it is down", async () => (await daemon.realServer(`[${VIP}]:tcp:80`, "10.1.1.2")).state === "DOWN");
  const { checks } = await daemon.realServer(`[${VIP}]:tcp:80`, "10.1.1.2");
  assert.match(checks[0]?.detail ?? "", /or it does not take packets out of IP in IP$/);
  const agent = await daemon.servers.get("rs1")?.node.run(EVENKEEL, "real", "--vip", VIP, "--mode", "tun");
  assert.notEqual(agent, undefined);
  await until("it is up", async () => (await daemon.realServer(`[${VIP}]:tcp:80`, "10.1.1.2")).state === "UP");
});
