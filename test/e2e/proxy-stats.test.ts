import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { ServerStatus } from "../../src/health/status.ts";
import { mergeStatistics } from "../../src/proxy/merge.ts";
import {
  bodyOf,
  Client,
  get,
  named,
  once,
  refusingPort,
  startProxy,
  startServer,
  statusOf,
  TIMEOUTS,
} from "./proxy-support.ts";

const AUTH = "Authorization: Basic YWRtaW46czNjcmV0\r\n";

const configuration = (port: number, stats = "") =>
  `defaults\n  mode http\n${TIMEOUTS}` +
  `frontend web\n  bind 127.0.0.1:80\n  default_backend servers\n` +
  `backend servers\n  balance roundrobin\n  server web0 127.0.0.1:${port} weight 10 check\n  server web1 127.0.0.1:${port} weight 20 backup\n` +
  `listen stats\n  bind 127.0.0.1:80\n  stats enable\n  stats uri /status\n${stats}`;

const CHECKED: ServerStatus = {
  ...statusOf(true),
  lastChangeMs: Date.now() - 3_725_000,
  checkFailures: 3,
  downTransitions: 1,
  downtimeMs: 61_000,
  check: {
    code: "L7OK",
    status: 200,
    durationMs: 0,
    description: "Layer7 check passed",
    detail: 'says "hi", <b>',
    running: false,
    rise: 2,
    fall: 3,
    health: 4,
  },
};

/** Column → value of the line for `pxname,svname`. */
function csvRow(csv: string, proxy: string, service: string): Record<string, string> {
  const [header = "", ...lines] = csv.trimEnd().split("\n");
  const line = lines.find((candidate) => candidate.startsWith(`${proxy},${service},`)) ?? assert.fail(`no ${service}`);
  const values = [...line.matchAll(/("(?:[^"]|"")*"|[^,]*),/g)].map((match) => match[1] ?? "");
  const names = header.slice(2).split(",");
  assert.equal(values.length + 1, names.length);
  return Object.fromEntries(names.map((name, i) => [name, values[i] ?? ""]));
}

/** Row name → column text, of the table whose heading is `proxy`. */
function tableRow(html: string, proxy: string, name: string): Record<string, string> {
  const table = html.slice(html.indexOf(`<h2 id="${proxy}">`));
  const groups = [...table.matchAll(/<th colspan="(\d+)">([^<]*)<\/th>/g)].slice(0, 9);
  const columns = [...(table.match(/<tr>(<th>.*?)<\/tr>/)?.[1] ?? "").matchAll(/<th>([^<]*)<\/th>/g)].map((m) => m[1]);
  const names = groups.flatMap(([, count, group]) =>
    columns.splice(0, Number(count)).map((column) => `${group} ${column}`),
  );
  const row = table.slice(table.indexOf(`<th class="name">${name}</th>`)).split("</tr>", 1)[0] ?? "";
  const cells = [...row.matchAll(/<td[^>]*>([^<]*)<\/td>/g)].map((match) => match[1] ?? "");
  assert.equal(cells.length, names.length);
  return Object.fromEntries(names.map((column, i) => [column, cells[i] ?? ""]));
}

describe("the statistics page", () => {
  test("shows for each server what it did and how it is", async (t) => {
    const server = await startServer(t, named("hello"));
    const proxy = startProxy(t, configuration(server.port));
    proxy.engine.setServerStatus("servers", "web0", CHECKED);
    for (let i = 0; i < 3; i++) await once(t, proxy.port("web"));
    const answer = await once(t, proxy.port("stats"), get("/status"));
    assert.match(
      answer,
      /^HTTP\/1\.1 200 OK\r\ncache-control: no-cache\r\ncontent-type: text\/html; charset=utf-8\r\n/,
    );
    const html = bodyOf(answer);
    const web0 = tableRow(html, "servers", "web0");
    assert.deepEqual(
      ["Sessions Total", "Sessions LbTot", "Sessions Last", "Bytes In", "Bytes Out"].map((column) => web0[column]),
      ["3", "3", "0s", "114", "162"],
    );
    assert.deepEqual(
      ["Responses 2xx", "Responses 5xx", "Errors Conn", "Warnings Retr"].map((column) => web0[column]),
      ["3", "0", "0", "0"],
    );
    assert.deepEqual(
      ["Status", "LastChk", "Wght", "Act", "Bck", "Chk", "Dwn", "Dwntme"].map((column) => web0[`Server ${column}`]),
      ["1h2m UP", "L7OK/200 in 0ms", "10", "Y", "-", "3", "1", "1m1s"],
    );
    const web1 = tableRow(html, "servers", "web1");
    assert.deepEqual(
      ["Sessions Last", "Server Status", "Server Wght", "Server Act", "Server Bck"].map((column) => web1[column]),
      ["?", "no check", "20", "-", "Y"],
    );
    const backend = tableRow(html, "servers", "Backend");
    assert.deepEqual([backend["Sessions Total"], backend["Server Wght"], backend["Server Act"]], ["3", "10", "1"]);
    assert.equal(tableRow(html, "web", "Frontend")["Sessions Total"], "3");
    assert.match(html, /<tr class="active_up"><th class="name">web0<\/th>/);
    assert.match(html, /<tr class="no_check"><th class="name">web1<\/th>/);
  });

  test("row classes follow the state of the server", async (t) => {
    const proxy = startProxy(t, configuration(1));
    for (const [text, up, style] of [
      ["UP", true, "active_up"],
      ["UP 1/3", true, "active_going_down"],
      ["DOWN", false, "active_down"],
      ["DOWN 1/2", false, "active_going_up"],
      ["MAINT", false, "maintain"],
    ] as const) {
      proxy.engine.setServerStatus("servers", "web0", { ...CHECKED, up, text });
      const html = await once(t, proxy.port("stats"), get("/status"));
      assert.ok(html.includes(`<tr class="${style}"><th class="name">web0</th>`), text);
      assert.equal((await once(t, proxy.port("stats"), get("/status;up"))).includes(">web0<"), up);
    }
  });

  test("asks for a user and password when some are configured", async (t) => {
    const auth = '  stats auth admin:s3cret\n  stats auth other:x\n  stats realm My\\ "Realm"\n';
    const proxy = startProxy(t, configuration(1, auth.replaceAll('"', "'")));
    const client = await Client.connect(t, proxy.port("stats"));
    for (const fields of [
      "",
      "Authorization: Basic YWRtaW46d3Jvbmc=\r\n",
      "Authorization: Bearer YWRtaW46czNjcmV0\r\n",
    ]) {
      const refused = await client.ask(get("/status", fields));
      assert.match(refused, /^HTTP\/1\.1 401 Unauthorized\r\n.*\r\nwww-authenticate: Basic realm="My Realm"\r\n/s);
      assert.doesNotMatch(refused, /web0/);
    }
    assert.match(await client.ask(get("/status", AUTH)), /^HTTP\/1\.1 200 /);
    assert.match(await client.ask(get("/status;csv", AUTH)), /^HTTP\/1\.1 200 /);
  });

  test("refreshes itself as configured, unless asked not to", async (t) => {
    const proxy = startProxy(t, configuration(1, "  stats refresh 5s\n"));
    const client = await Client.connect(t, proxy.port("stats"));
    assert.match(await client.ask(get("/status")), /\r\nrefresh: 5\r\n/);
    assert.doesNotMatch(await client.ask(get("/status;norefresh")), /\r\nrefresh:/);
  });

  test("answers HEAD without a body, refuses to be written to, and leaves other paths to the servers", async (t) => {
    const proxy = startProxy(t, configuration(1));
    const client = await Client.connect(t, proxy.port("stats"));
    assert.match(
      await client.ask("POST /status HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\na=b"),
      /^HTTP\/1\.1 303 .*;st=DENY/s,
    );
    assert.match(await client.ask("DELETE /status HTTP/1.1\r\nHost: x\r\n\r\n"), /^HTTP\/1\.1 405 /);
    assert.match(await client.ask(get("/other")), /^HTTP\/1\.1 503 /);
    client.socket.write("HEAD /status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
    assert.match(await client.rest(), /\r\nconnection: close\r\n\r\n$/);
  });

  test("names cannot break out of the page", async (t) => {
    const proxy = startProxy(t, configuration(1, "  stats show-node <script>x</script>\n  stats show-desc a&b\n"));
    const html = bodyOf(await once(t, proxy.port("stats"), get("/status")));
    assert.doesNotMatch(html, /<script/);
    assert.match(html, /&lt;script&gt;x&lt;\/script&gt;/);
    assert.match(html, /<p>a&amp;b<\/p>/);
  });

  test("shows the sum of all processes", async (t) => {
    const server = await startServer(t, named("hello"));
    const proxies = [0, 1].map((i) =>
      startProxy(t, configuration(server.port), {
        pid: 100 + i,
        collect: async () => {
          const all = mergeStatistics(proxies.map(({ engine }) => engine.statistics()));
          return all ?? assert.fail("nothing to merge");
        },
      }),
    );
    for (const proxy of proxies) for (let i = 0; i < 2; i++) await once(t, proxy.port("web"));
    const html = bodyOf(await once(t, proxies[0]?.port("stats") ?? 0, get("/status")));
    assert.match(html, /2 processes \(100, 101\)/);
    assert.equal(tableRow(html, "servers", "web0")["Sessions Total"], "4");
    assert.equal(tableRow(html, "web", "Frontend")["Sessions Total"], "4");
  });
});

test("the CSV has the figures of the page and the text of the last check, quoted", async (t) => {
  const server = await startServer(t, named("hello"));
  const proxy = startProxy(t, configuration(server.port, "  stats show-legends\n"));
  proxy.engine.setServerStatus("servers", "web0", CHECKED);
  for (let i = 0; i < 3; i++) await once(t, proxy.port("web"));
  const csv = bodyOf(await once(t, proxy.port("stats"), get("/status;csv")));
  const web0 = csvRow(csv, "servers", "web0");
  const expected = {
    ...{
      stot: "3",
      bin: "114",
      bout: "162",
      status: "UP",
      weight: "10",
      act: "1",
      bck: "0",
      chkfail: "3",
      chkdown: "1",
    },
    ...{
      lastchg: "3725",
      downtime: "61",
      type: "2",
      iid: "2",
      sid: "1",
      lbtot: "3",
      check_status: "L7OK",
      check_code: "200",
    },
    ...{ check_duration: "0", hrsp_2xx: "3", last_chk: '"says ""hi"", <b>"', check_desc: "Layer7 check passed" },
    ...{
      check_rise: "2",
      check_fall: "3",
      check_health: "4",
      addr: `127.0.0.1:${server.port}`,
      mode: "http",
      connect: "3",
    },
  };
  assert.deepEqual({ ...web0, ...expected }, web0);
  const plain = startProxy(t, configuration(server.port));
  const outside = bodyOf(await once(t, plain.port("stats"), get("/status;csv")));
  assert.equal(csvRow(outside, "servers", "web0").addr, "");
  assert.equal(csvRow(csv, "servers", "BACKEND").algo, "roundrobin");
  assert.equal(csvRow(csv, "servers", "BACKEND").slim, "200");
  assert.equal(csvRow(csv, "web", "FRONTEND").req_tot, "3");
  assert.deepEqual(
    csv
      .trimEnd()
      .split("\n")
      .map((line) => line.split(",", 2).join()),
    [
      "# pxname,svname",
      "web,FRONTEND",
      "servers,web0",
      "servers,web1",
      "servers,BACKEND",
      "stats,FRONTEND",
      "stats,BACKEND",
    ],
  );
});

test("an answer of the proxy's own is in the backend's figures, and every attempt to connect in the server's", async (t) => {
  const silent = await startServer(t, ({ socket }) => socket.destroy());
  const proxy = startProxy(
    t,
    `defaults
  mode http
  timeout connect 20ms
  timeout client 20s
  timeout server 20s
  retries 2
listen silent
  bind :1
  server s 127.0.0.1:${silent.port}
listen refusing
  bind :2
  server s 127.0.0.1:${await refusingPort()}`,
  );
  await once(t, proxy.port("silent"));
  await once(t, proxy.port("refusing"));
  const figures = proxy.engine.statistics().backends.map(({ servers: [server], ...backend }) => ({
    name: backend.name,
    backend: [backend.stot, backend.hrsp[5], backend.reqTot],
    server: [server?.stot, server?.hrsp[5], server?.reqTot, server?.smax],
  }));
  assert.deepEqual(figures, [
    { name: "silent", backend: [1, 1, 1], server: [1, 0, 0, 1] },
    { name: "refusing", backend: [1, 1, 1], server: [3, 0, 0, 1] },
  ]);
});
