/** What haproxy.cfg becomes in the typed model. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Backend, Frontend } from "../../../src/config/model/proxy.ts";
import { loadTexts, modelOf, notesOf, seriousOf, TIMEOUTS } from "../../support/haproxy-text.ts";

const s5 = readFileSync(new URL("../../fixtures/haproxy-config/s5.cfg", import.meta.url), "utf8");

function frontendOf(lines: string, more: Parameters<typeof modelOf>[1] = {}): Frontend {
  const [frontend] = modelOf(`${TIMEOUTS}frontend f\n  bind :80\n${lines}`, more).frontends;
  assert.ok(frontend !== undefined);
  return frontend;
}

function backendOf(lines: string, more: Parameters<typeof modelOf>[1] = {}): Backend {
  const [backend] = modelOf(`${TIMEOUTS}frontend f\n  bind :80\nbackend b\n${lines}`, more).backends;
  assert.ok(backend !== undefined);
  return backend;
}

test("scenario S5 loads with nothing to be said about it", () => {
  const loaded = loadTexts(s5);
  assert.deepEqual([seriousOf(loaded), notesOf(loaded)], [[], []]);
});

test("scenario S5 becomes two frontends, three weighted servers with a cookie, and a page of statistics", () => {
  const { global, frontends, backends } = modelOf(s5);
  const syslog = { to: { kind: "udp", address: "127.0.0.1", port: 514 }, length: 1024, format: "rfc3164" };
  const logs = [
    { ...syslog, facility: 16, level: "debug", minLevel: "emerg" },
    { ...syslog, facility: 17, level: "notice", minLevel: "emerg" },
  ];
  assert.deepEqual(global.logs, logs);
  assert.equal(global.nbthread, 1);
  const [www, stats] = frontends;
  const [servers, own] = backends;
  assert.deepEqual(
    [frontends.map(({ name }) => name), backends.map(({ name }) => name)],
    [
      ["www", "stats"],
      ["web_servers", "stats"],
    ],
  );
  assert.deepEqual(
    [www?.mode, www?.defaultBackend, www?.logFormat, www?.dontLogNull, www?.stats, www?.connectionMode],
    ["http", "web_servers", "httplog", true, undefined, "keep-alive"],
  );
  assert.deepEqual(www?.logs, logs);
  assert.deepEqual(www?.binds, [
    {
      text: "*:80",
      address: "0.0.0.0",
      port: 80,
      name: undefined,
      v6only: false,
      backlog: undefined,
      interface: undefined,
      transparent: false,
    },
  ]);
  assert.deepEqual(www?.timeouts, {
    client: 50_000_000,
    connect: 5_000_000,
    server: 50_000_000,
    httpRequest: undefined,
    httpKeepAlive: undefined,
    queue: undefined,
    check: undefined,
    tunnel: undefined,
    clientFin: undefined,
    serverFin: undefined,
  });
  assert.deepEqual(stats?.stats, {
    uri: "/",
    realm: "HAProxy Statistics",
    auth: [],
    refreshSeconds: 5,
    hideVersion: false,
    showNode: undefined,
    showDescription: undefined,
    showLegends: false,
  });
  assert.equal(stats?.defaultBackend, "stats");
  assert.deepEqual(own?.servers, []);
  assert.deepEqual(servers?.cookie, {
    name: "SERVERID",
    insert: true,
    indirect: true,
    nocache: false,
    postonly: false,
    preserve: false,
    httponly: false,
    secure: false,
    domains: [],
  });
  assert.deepEqual(servers?.check, { kind: "http", method: "HEAD", uri: "/", version: "HTTP/1.0", headers: [] });
  assert.deepEqual(
    [servers?.balance, servers?.retries, servers?.redispatch, servers?.httpReuse],
    ["roundrobin", 3, undefined, "safe"],
  );
  assert.deepEqual(
    servers?.servers.map(({ name, id, address, port, weight, cookie }) => [name, id, address, port, weight, cookie]),
    [
      ["webserver0", 1, "187.2.9.101", 80, 10, "webserver0"],
      ["webserver1", 2, "187.2.9.102", 80, 25, "webserver1"],
      ["webserver2", 3, "187.2.9.103", 80, 15, "webserver2"],
    ],
  );
  assert.deepEqual(servers?.servers[0]?.check, {
    address: "187.2.9.101",
    port: 80,
    inter: 2_000_000,
    fastinter: 2_000_000,
    downinter: 2_000_000,
    rise: 2,
    fall: 3,
  });
});

test("the model is plain JSON", () => {
  const model = modelOf(s5);
  assert.deepEqual(JSON.parse(JSON.stringify(model)), JSON.parse(JSON.stringify(structuredClone(model))));
});

test("global sections merge, and set everything that the model has", () => {
  const { global } = modelOf(
    `global
  maxconn 2000
  nbthread 2
  user haproxy
  group proxies
  uid 5
  gid 6
  pidfile /run/x.pid
  log-tag tag
global
  node n1
  description two words
  hard-stop-after 1m
  tune.bufsize 32k
  tune.maxrewrite 2048
  spread-checks 5
${TIMEOUTS}frontend f
  bind :80
`,
  );
  assert.deepEqual(global, {
    maxconn: 2000,
    nbthread: 2,
    user: "haproxy",
    group: "proxies",
    uid: 5,
    gid: 6,
    pidfile: "/run/x.pid",
    logs: [],
    logTag: "tag",
    node: "n1",
    description: "two words",
    hardStopAfter: 60_000_000,
    bufsize: 32_768,
    maxrewrite: 2_048,
    spreadChecks: 5,
  });
});

test("tune.maxrewrite is at most half of tune.bufsize", () => {
  const text = `global\n  tune.maxrewrite 20000\n${TIMEOUTS}frontend f\n  bind :80\n`;
  assert.equal(modelOf(text).global.maxrewrite, 8_192);
});

test("log targets are UDP, Unix sockets and the standard streams, each with its limits", () => {
  const logs = (line: string) => modelOf(`global\n  log ${line}\n${TIMEOUTS}frontend f\n  bind :80\n`).global.logs[0];
  assert.deepEqual(logs("[::1]:5140 len 200 format rfc5424 daemon info notice"), {
    to: { kind: "udp", address: "::1", port: 5140 },
    length: 200,
    format: "rfc5424",
    facility: 3,
    level: "info",
    minLevel: "notice",
  });
  assert.deepEqual(logs("/dev/log local7")?.to, { kind: "unix", path: "/dev/log" });
  assert.deepEqual(logs("unix@/dev/log local7")?.to, { kind: "unix", path: "/dev/log" });
  assert.deepEqual(logs("stdout format raw local0")?.to, { kind: "stdout" });
  assert.deepEqual(logs("fd@2 local0")?.to, { kind: "stderr" });
  assert.deepEqual(logs("localhost local0")?.to, { kind: "udp", address: "127.0.0.1", port: 514 });
});

test("log global means the targets of all global sections, and no log takes back what defaults said", () => {
  const text = `${TIMEOUTS}  log global
  log 10.0.0.9 local1
frontend f
  bind :80
frontend g
  bind :81
  no log
global
  log 10.0.0.8 local0
`;
  const { frontends } = modelOf(text);
  assert.deepEqual(
    frontends.map(({ logs }) => logs.map(({ to }) => (to.kind === "udp" ? to.address : to.kind))),
    [["10.0.0.8", "10.0.0.9"], []],
  );
});

test("bind takes lists, ranges, IPv6 and parameters", () => {
  const binds = (line: string) =>
    modelOf(`${TIMEOUTS}frontend f\n  bind ${line}\n`).frontends[0]?.binds.map(({ text, address, port }) => [
      text,
      address,
      port,
    ]);
  assert.deepEqual(binds("10.0.0.1:80,[::1]:81"), [
    ["10.0.0.1:80", "10.0.0.1", 80],
    ["[::1]:81", "::1", 81],
  ]);
  assert.deepEqual(binds("*:80-82"), [
    ["*:80", "0.0.0.0", 80],
    ["*:81", "0.0.0.0", 81],
    ["*:82", "0.0.0.0", 82],
  ]);
  assert.deepEqual(binds(":::8080"), [[":::8080", "::", 8080]]);
  assert.deepEqual(binds("ipv6@:80"), [["ipv6@:80", "::", 80]]);
  const [bind] =
    modelOf(
      `${TIMEOUTS}  backlog 7\nfrontend f\n  bind [::]:80 name web v6only interface eth0 transparent\n  bind :81 backlog 9\n  backlog 8\n`,
    ).frontends[0]?.binds ?? [];
  assert.deepEqual(bind, {
    text: "[::]:80",
    address: "::",
    port: 80,
    name: "web",
    v6only: true,
    backlog: 8,
    interface: "eth0",
    transparent: true,
  });
});

test("frontends have their limits, formats and monitor-uri", () => {
  const { maxconn, logFormat, dontLogNull, dontLogNormal, monitorUri, defaultBackend, id, description } = frontendOf(
    `  mode http
  maxconn 100
  log 10.0.0.1 local0
  option httplog clf
  option dontlognull
  option dontlog-normal
  monitor-uri /alive
  id 77
  description the front
`,
  );
  assert.deepEqual(
    { maxconn, logFormat, dontLogNull, dontLogNormal, monitorUri, defaultBackend, id, description },
    {
      maxconn: 100,
      logFormat: "clf",
      dontLogNull: true,
      dontLogNormal: true,
      monitorUri: "/alive",
      defaultBackend: undefined,
      id: 77,
      description: "the front",
    },
  );
  assert.equal(frontendOf("").logFormat, "connect");
});

test("option httplog of a tcp frontend becomes tcplog", () => {
  const loaded = loadTexts(`${TIMEOUTS}frontend f\n  bind :80\n  log 10.0.0.1 local0\n  option httplog\n`);
  assert.equal(loaded.model?.frontends[0]?.logFormat, "tcplog");
});

test("servers take their own words, then default-server's, then HAProxy's defaults", () => {
  const { servers } = backendOf(
    `  server plain 10.0.0.1
  default-server check inter 3s fastinter 500ms downinter 1m rise 4 fall 5 weight 7 maxconn 9 on-marked-down shutdown-sessions
  server all 10.0.0.2:81 backup disabled cookie c port 8080 addr 10.0.0.9 send-proxy weight 0
  server some [fd00::3]:82 no-check send-proxy-v2 inter 4000
`,
  );
  assert.deepEqual(servers, [
    {
      name: "plain",
      id: 1,
      address: "10.0.0.1",
      port: 0,
      weight: 1,
      backup: false,
      disabled: false,
      cookie: undefined,
      maxconn: 0,
      check: undefined,
      sendProxy: undefined,
      onMarkedDown: "keep",
    },
    {
      name: "all",
      id: 2,
      address: "10.0.0.2",
      port: 81,
      weight: 0,
      backup: true,
      disabled: true,
      cookie: "c",
      maxconn: 9,
      check: {
        address: "10.0.0.9",
        port: 8080,
        inter: 3_000_000,
        fastinter: 500_000,
        downinter: 60_000_000,
        rise: 4,
        fall: 5,
      },
      sendProxy: 1,
      onMarkedDown: "shutdown-sessions",
    },
    {
      name: "some",
      id: 3,
      address: "fd00::3",
      port: 82,
      weight: 7,
      backup: false,
      disabled: false,
      cookie: undefined,
      maxconn: 9,
      check: undefined,
      sendProxy: 2,
      onMarkedDown: "shutdown-sessions",
    },
  ]);
});

test("without fastinter and downinter a server is checked every inter", () => {
  const { check } = backendOf("  server s 10.0.0.1:80 check inter 7s\n").servers[0] ?? {};
  assert.deepEqual([check?.inter, check?.fastinter, check?.downinter], [7_000_000, 7_000_000, 7_000_000]);
});

test("servers are numbered by position, round the numbers that are taken", () => {
  const { servers } = backendOf(
    "  server a 10.0.0.1:1 id 2\n  server b 10.0.0.1:1\n  server c 10.0.0.1:1 id 9\n  server d 10.0.0.1:1\n",
  );
  assert.deepEqual(
    servers.map(({ id }) => id),
    [2, 3, 9, 5],
  );
});

test("backends have their algorithm, retries, cookie and checks", () => {
  const backend = backendOf(
    `  mode http
  balance leastconn
  retries 2
  option redispatch
  option allbackups
  option log-health-checks
  http-reuse always
  cookie C insert nocache postonly httponly secure domain .a.org domain .b.org
  option httpchk GET /alive HTTP/1.1
  http-check send hdr Host a.org hdr X y
`,
  );
  assert.deepEqual(
    [
      backend.balance,
      backend.retries,
      backend.redispatch,
      backend.allBackups,
      backend.logHealthChecks,
      backend.httpReuse,
    ],
    ["leastconn", 2, -1, true, true, "always"],
  );
  assert.deepEqual(backend.cookie, {
    name: "C",
    insert: true,
    indirect: false,
    nocache: true,
    postonly: true,
    preserve: false,
    httponly: true,
    secure: true,
    domains: [".a.org", ".b.org"],
  });
  assert.deepEqual(backend.check, {
    kind: "http",
    method: "GET",
    uri: "/alive",
    version: "HTTP/1.1",
    headers: [
      ["Host", "a.org"],
      ["X", "y"],
    ],
  });
});

test("option httpchk has a method, a URI and a version of its own", () => {
  const check = (words: string) => {
    const { check } = backendOf(`  option httpchk${words}\n`);
    return check.kind === "http" ? `${check.method} ${check.uri} ${check.version}` : check.kind;
  };
  assert.equal(check(""), "OPTIONS / HTTP/1.0");
  assert.equal(check(" /x"), "OPTIONS /x HTTP/1.0");
  assert.equal(check(" HEAD /x"), "HEAD /x HTTP/1.0");
  assert.equal(check(" HEAD /x HTTP/1.1"), "HEAD /x HTTP/1.1");
  assert.equal(check("\n  option tcp-check"), "tcp");
  assert.equal(check("\n  http-check send meth GET uri /y ver HTTP/1.1"), "GET /y HTTP/1.1");
});

test("headers behind the version of a check are read, unless http-check names others", () => {
  const option = `${TIMEOUTS}listen l\n  bind :1\n  option httpchk HEAD / HTTP/1.1\\r\\nHost:\\ a.org\\r\\nX-Y:\\ z\n`;
  const check = (more: string) => loadTexts(`${option}${more}`).model?.backends[0]?.check;
  const expected = { kind: "http", method: "HEAD", uri: "/", version: "HTTP/1.1" };
  const own = [
    ["Host", "a.org"],
    ["X-Y", "z"],
  ];
  assert.deepEqual(check(""), { ...expected, headers: own });
  assert.deepEqual(check("  http-check send meth GET\n"), { ...expected, method: "GET", headers: own });
  assert.deepEqual(check("  http-check send hdr More 1\n"), { ...expected, headers: [["More", "1"]] });
});

test("proxies have their place in the file and HAProxy's number, both halves of a listen section the same", () => {
  const { model } = loadTexts(
    `${TIMEOUTS}backend a\n  id 2\nfrontend b\n  bind :1\nlisten c\n  bind :2\nbackend d\n  id 1\n`,
  );
  const places = (proxies: readonly (Frontend | Backend)[] = []) =>
    proxies.map(({ name, position, id }) => [name, position, id]);
  assert.deepEqual(places(model?.frontends), [
    ["b", 1, 3],
    ["c", 2, 4],
  ]);
  assert.deepEqual(places(model?.backends), [
    ["a", 0, 2],
    ["c", 2, 4],
    ["d", 3, 1],
  ]);
});

test("the last connection mode wins, and no takes back only its own", () => {
  const mode = (...options: string[]) => frontendOf(options.map((one) => `  ${one}\n`).join("")).connectionMode;
  assert.equal(mode(), "keep-alive");
  assert.equal(mode("option httpclose", "option http-server-close"), "server-close");
  assert.equal(mode("option http-server-close", "option httpclose"), "close");
  assert.equal(mode("option httpclose", "no option http-server-close"), "close");
  assert.equal(mode("option httpclose", "no option httpclose"), "keep-alive");
  assert.equal(mode("option httpclose", "default option httpclose"), "keep-alive");
});

test("option forwardfor has a header, an exception and a condition", () => {
  assert.deepEqual(frontendOf("  mode http\n  option forwardfor\n").forwardFor, {
    header: "X-Forwarded-For",
    except: undefined,
    ifNone: false,
  });
  assert.deepEqual(
    frontendOf("  mode http\n  option forwardfor except 10.0.0.0/255.240.0.0 header X-C if-none\n").forwardFor,
    {
      header: "X-C",
      except: { address: "10.0.0.0", length: 12 },
      ifNone: true,
    },
  );
});

test("every word of stats switches the page on, and show-node and show-desc fall back to global", () => {
  assert.equal(frontendOf("  mode http\n  stats uri /s\n").stats?.uri, "/s");
  const text = `global\n  node n1\n  description all of it\n${TIMEOUTS}frontend f
  mode http
  bind :80
  stats refresh 1m
  stats auth a:b
  stats auth c:d:e
  stats hide-version
  stats show-legends
  stats show-node
  stats show-desc
frontend g
  mode http
  bind :81
  stats show-node other
  stats show-desc my words
`;
  const [f, g] = modelOf(text).frontends;
  assert.deepEqual(f?.stats, {
    uri: "/haproxy?stats",
    realm: "HAProxy Statistics",
    auth: ["a:b", "c:d:e"],
    refreshSeconds: 60,
    hideVersion: true,
    showNode: "n1",
    showDescription: "all of it",
    showLegends: true,
  });
  assert.deepEqual([g?.stats?.showNode, g?.stats?.showDescription], ["other", "my words"]);
  assert.equal(frontendOf("  mode http\n  stats show-node\n").stats?.showNode, "lb1");
});

test("errorfile holds the whole response, found beside the file that names it", () => {
  const page = "HTTP/1.0 503 Gone Fishing\r\nContent-Type: text/html\r\n\r\n<p>\xe9\x80</p>\n";
  const bytes = Uint8Array.from(page, (char) => char.charCodeAt(0));
  const files = { "/pages/503.http": bytes, "/empty": "" };
  const { errorFiles } = frontendOf("  mode http\n  errorfile 503 pages/503.http\n  errorfile 408 /empty\n", { files });
  assert.deepEqual(errorFiles, { 503: page, 408: "" });
});

test("each defaults section starts afresh, and from takes another one's settings", () => {
  const text = `defaults base
  mode http
  timeout client 1s
  timeout connect 2s
  timeout server 3s
  retries 7
  default-server rise 9
defaults
  timeout client 4s
frontend f
  bind :1
listen l from base
  bind :2
  server s 10.0.0.1:1 check
defaults more from base
  retries 8
backend b
`;
  const { frontends, backends } = modelOf(text);
  assert.deepEqual(
    frontends.map(({ mode, timeouts }) => [mode, timeouts.client]),
    [
      ["tcp", 4_000_000],
      ["http", 1_000_000],
    ],
  );
  assert.deepEqual(
    backends.map(({ name, mode, retries, servers }) => [name, mode, retries, servers[0]?.check?.rise]),
    [
      ["l", "http", 7, 9],
      ["b", "http", 8, undefined],
    ],
  );
});

test("times are milliseconds unless they say otherwise, and are rounded up to one", () => {
  const client = (time: string) =>
    modelOf(`defaults\n  timeout client ${time}\nfrontend f\n  bind :1\n`).frontends[0]?.timeouts.client;
  assert.deepEqual(
    ["1500", "100us", "1500us", "20ms", "3s", "2m", "1h", "1d"].map(client),
    [1_500_000, 1_000, 2_000, 20_000, 3_000_000, 120_000_000, 3_600_000_000, 86_400_000_000],
  );
});

test("old syntax means what it meant", () => {
  const text = `listen l 10.0.0.1:80
  contimeout 1000
  clitimeout 2000
  srvtimeout 3000
  redispatch
  option forceclose
  server s 10.0.0.2:80
`;
  const loaded = loadTexts(text);
  assert.deepEqual(seriousOf(loaded), [
    "1:10 warning haproxy/legacy: 10.0.0.1:80",
    "2:3 warning haproxy/legacy: contimeout",
    "3:3 warning haproxy/legacy: clitimeout",
    "4:3 warning haproxy/legacy: srvtimeout",
    "5:3 warning haproxy/legacy: redispatch",
    "6:3 warning haproxy/legacy: option forceclose",
  ]);
  const [frontend] = loaded.model?.frontends ?? [];
  const [backend] = loaded.model?.backends ?? [];
  assert.deepEqual(
    [frontend?.binds[0]?.text, frontend?.timeouts.connect, frontend?.timeouts.client, frontend?.connectionMode],
    ["10.0.0.1:80", 1_000_000, 2_000_000, "close"],
  );
  assert.deepEqual([backend?.timeouts.server, backend?.redispatch], [3_000_000, -1]);
});

test("several files are one configuration, in order", () => {
  const { frontends, backends } = modelOf([TIMEOUTS, "frontend f\n  bind :1\n  default_backend b\n", "backend b\n"]);
  assert.deepEqual([frontends[0]?.defaultBackend, backends[0]?.name], ["b", "b"]);
  assert.equal(frontends[0]?.timeouts.client, 1_000_000);
});

test("settings that only mode http has are left out of tcp proxies", () => {
  const { model } = loadTexts(
    `${TIMEOUTS}listen l\n  bind :1\n  cookie A insert\n  option forwardfor\n  stats enable\n  monitor-uri /x\n`,
  );
  const [frontend] = model?.frontends ?? [];
  assert.deepEqual(
    [frontend?.forwardFor, frontend?.stats, frontend?.monitorUri, model?.backends[0]?.cookie],
    [undefined, undefined, undefined, undefined],
  );
});
