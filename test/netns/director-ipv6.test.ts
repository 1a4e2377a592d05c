/** `evenkeel run` with virtual servers of IPv6 in every mode, tunnels between the families, and virtual servers of UDP. */

import assert from "node:assert/strict";
import { once } from "node:events";
import type { IpAddress } from "../../src/base/ip.ts";
import { connectDatagram } from "../../src/sys/outgoing.ts";
import { DNS_TYPES, encodeDnsQuery } from "../../src/wire/dns.ts";
import { test } from "../support/bpf-tests.ts";
import { DirectorDaemon, VIP, VIP6 } from "../support/director-daemon.ts";
import * as net from "../support/real-lan.ts";
import { until } from "../support/until.ts";

const virtual = (head: string, kind: string, protocol: string, servers: readonly string[], check: string) =>
  `virtual_server ${head} {
 lb_algo rr
 lb_kind ${kind}
 protocol ${protocol}
 delay_loop 0.3
 warmup 0.1
 ${servers.map((one) => `real_server ${one} {\n ${check}\n }`).join("\n ")}
}
`;
const HTTP_GET = `HTTP_GET {
  url {
   path /
   status_code 200
  }
  connect_timeout 1
  retry 0
 }`;
const WEB = [
  process.execPath,
  "-e",
  `require("http").createServer((q, r) => r.end("real")).listen(80, "::", () => console.log("listening"))`,
];

test("NAT serves IPv6, and a server that dies leaves", async () => {
  const servers = ["fd01:1::2 80", "fd01:2::2 80"];
  await using daemon = await DirectorDaemon.start(virtual(`${VIP6} 80`, "NAT", "TCP", servers, HTTP_GET));
  await daemon.program.sees(/Remote Web server \[fd01:1::2\]:tcp:80 succeed on service\./);
  assert.deepEqual(await daemon.pages(4, VIP6), { rs1: 2, rs2: 2 });
  await daemon.kill("rs1");
  await daemon.program.sees(/Removing service \[fd01:1::2\]:tcp:80 from VS \[fd00::10\]:tcp:80/);
  assert.deepEqual(await daemon.pages(2, VIP6), { rs2: 2 });
  await daemon.serve("rs1");
  await daemon.program.sees(/Adding service \[fd01:1::2\]:tcp:80/);
  assert.deepEqual(await daemon.pages(4, VIP6), { rs1: 2, rs2: 2 });
});

const TCP_THROUGH = `TCP_CHECK {
  connect_timeout 0.5
  check_path data_plane
  retry 0
 }`;

for (const [kind, vip, server] of [
  ["DR", net.VIP6, net.REAL6],
  ["TUN", net.VIP6, net.REAL6],
  ["TUN", net.VIP, net.REAL6],
  ["TUN", net.VIP6, net.REAL],
] as const) {
  const sameFamily = vip.includes(":") === server.includes(":");
  test(`${kind} serves ${vip} on ${server}`, async () => {
    await using lan = await net.lan();
    const { client, balancer, real } = lan;
    // As keepalived adds its own: never the source of what this host itself says, such as the checks.
    const vip6 = [`${net.VIP6}/128`, "dev", "eth0", "nodad", "preferred_lft", "0"];
    await balancer.node.run("ip", "addr", "add", ...vip6);
    await real.node.start(WEB).sees(/listening/);
    const configuration = virtual(`${vip} 80`, kind, "TCP", [`${server} 80`], sameFamily ? TCP_THROUGH : HTTP_GET);
    await using daemon = await DirectorDaemon.among(balancer.node, client.node, configuration);
    const state = async () => (await daemon.realServer(`[${vip}]:tcp:80`, server)).state;
    if (sameFamily) {
      await until("the missing VIP is found", async () => (await state()) === "DOWN");
      const [check] = (await daemon.realServer(`[${vip}]:tcp:80`, server)).checks;
      assert.match(check?.detail ?? "", /^the server does not accept fd00::100: it is not on its lo/);
    }
    const { status, output } = await real.evenkeel("real", "--vip", vip, "--mode", kind.toLowerCase());
    assert.equal(status, 0, output);
    await until("it is up", async () => (await state()) === "UP");
    assert.equal(await daemon.page(80, vip), "real");
    const { active, inactive } = await daemon.realServer(`[${vip}]:tcp:80`, server);
    assert.equal(active + inactive, 1);
  });
}

const DNS_CHECK = `DNS_CHECK {
  type A
  name example.net
  connect_timeout 1
  retry 0
 }`;
const UDP_CHECK = `UDP_CHECK {
  payload 000001000000
  require_reply
  connect_timeout 1
  retry 0
 }`;

for (const [name, vip, check, servers] of [
  ["DNS_CHECK", VIP, DNS_CHECK, ["10.1.1.2", "10.1.2.2"]],
  ["UDP_CHECK", VIP6, UDP_CHECK, ["fd01:1::2", "fd01:2::2"]],
] as const) {
  test(`UDP clients of ${vip} move with the next packet when ${name} finds their server dead`, async () => {
    const heads = servers.map((one) => `${one} 53`);
    await using daemon = await DirectorDaemon.start(virtual(`${vip} 53`, "NAT", "UDP", heads, check));
    const to = { address: vip as IpAddress, port: 53, interface: "eth0" };
    const socket = daemon.client.within(() => connectDatagram(to));
    try {
      await once(socket, "connect");
      const question = encodeDnsQuery(7, "example.net", DNS_TYPES.A);
      assert.ok(question.ok);
      const ask = async () => {
        const heard = once(socket, "message", { signal: AbortSignal.timeout(30_000) });
        socket.send(question.value);
        return String((await heard)[0].subarray(question.value.length));
      };
      const first = await ask();
      assert.match(first, /^rs[12]$/);
      assert.equal(await ask(), first);
      await daemon.kill(first);
      const address = servers[first === "rs1" ? 0 : 1];
      await until("it has left", async () => (await daemon.realServer(`[${vip}]:udp:53`, address)).state === "DOWN");
      assert.equal(await ask(), first === "rs1" ? "rs2" : "rs1");
    } finally {
      socket.close();
    }
  });
}
