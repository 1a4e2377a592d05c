import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server as NetServer, type Socket } from "node:net";
import { afterEach, describe, test } from "node:test";
import type { IpAddress } from "../../src/base/ip.ts";
import { type Duration, instantAt, milliseconds } from "../../src/base/time.ts";
import type { Backend, CheckMethod, ProxyConfiguration, Server, Timeouts } from "../../src/config/model/proxy.ts";
import { Director, type StatusChange } from "../../src/daemon/director/director.ts";
import type { CheckCode, ServerStatus } from "../../src/health/status.ts";

const LOOPBACK = "127.0.0.1" as IpAddress;
const HTTP: CheckMethod = { kind: "http", method: "OPTIONS", uri: "/", version: "HTTP/1.0", headers: [] };
const NO_TIMEOUTS: Timeouts = {
  client: undefined,
  connect: undefined,
  server: undefined,
  httpRequest: undefined,
  httpKeepAlive: undefined,
  queue: undefined,
  check: undefined,
  tunnel: undefined,
  clientFin: undefined,
  serverFin: undefined,
};

function serverAt(name: string, port: number, changed: Partial<Server> = {}): Server {
  // `inter` bounds a check too, so it leaves room for a slow machine; what follows it in the tests is quick.
  const inter = milliseconds(300);
  const quick = milliseconds(10);
  return {
    name,
    id: 1,
    address: LOOPBACK,
    port,
    weight: 1,
    backup: false,
    disabled: false,
    cookie: undefined,
    maxconn: 0,
    check: { address: LOOPBACK, port, inter, fastinter: quick, downinter: quick, rise: 2, fall: 2 },
    sendProxy: undefined,
    onMarkedDown: "keep",
    ...changed,
  };
}

function slow(server: Server, inter: Duration = milliseconds(60_000)): Server {
  return server.check === undefined
    ? server
    : { ...server, check: { ...server.check, inter, fastinter: inter, downinter: inter } };
}

function configurationOf(servers: readonly Server[], changed: Partial<Backend> = {}): ProxyConfiguration {
  const backend: Backend = {
    name: "b",
    position: 0,
    id: 1,
    mode: "http",
    disabled: false,
    timeouts: NO_TIMEOUTS,
    connectionMode: "keep-alive",
    forwardFor: undefined,
    logs: [],
    stats: undefined,
    errorFiles: {},
    balance: "roundrobin",
    cookie: undefined,
    httpReuse: "safe",
    retries: 3,
    redispatch: undefined,
    allBackups: false,
    check: HTTP,
    logHealthChecks: false,
    servers,
    ...changed,
  };
  const global = {
    maxconn: undefined,
    nbthread: 1,
    user: undefined,
    group: undefined,
    uid: undefined,
    gid: undefined,
    pidfile: undefined,
    logs: [],
    logTag: "evenkeel",
    node: undefined,
    description: undefined,
    hardStopAfter: undefined,
    bufsize: 16_384,
    maxrewrite: 1_024,
    spreadChecks: 0,
  };
  return { global, frontends: [], backends: [backend] };
}

/** A server on loopback that does this with every connection. */
class Target {
  connections = 0;
  open = 0;
  most = 0;
  received = "";
  answer: (socket: Socket, bytes: string) => void;
  readonly net: NetServer;

  constructor(answer: (socket: Socket, bytes: string) => void) {
    this.answer = answer;
    this.net = createServer((socket) => {
      this.connections++;
      this.most = Math.max(this.most, ++this.open);
      sockets.add(socket);
      socket.on("error", () => {});
      socket.on("close", () => {
        this.open--;
        sockets.delete(socket);
      });
      socket.on("data", (bytes: Buffer) => {
        this.received += bytes.toString("latin1");
        this.answer(socket, bytes.toString("latin1"));
      });
    });
  }
  async listen(): Promise<number> {
    listeners.add(this.net);
    this.net.listen(0, LOOPBACK);
    await once(this.net, "listening");
    return (this.net.address() as AddressInfo).port;
  }
}

const sockets = new Set<Socket>();
const listeners = new Set<NetServer>();
const directors = new Set<Director>();

afterEach(() => {
  for (const director of directors) director.stop();
  for (const listener of listeners) listener.close();
  for (const socket of sockets) socket.destroy();
  for (const set of [directors, listeners, sockets]) set.clear();
});

async function refusedPort(): Promise<number> {
  const target = new Target(() => {});
  const port = await target.listen();
  target.net.close();
  await once(target.net, "close");
  return port;
}

const saying = (text: string) => (socket: Socket) => void socket.end(text, "latin1");

interface Report {
  readonly server: string;
  readonly status: ServerStatus;
  readonly change: StatusChange | undefined;
}

/** A director with its reports and log lines, and a way to wait for a report. */
class Watched {
  readonly reports: Report[] = [];
  readonly lines: string[] = [];
  readonly director: Director;
  #waiting: { readonly matches: (report: Report) => boolean; readonly resolve: (report: Report) => void }[] = [];

  constructor(configuration: ProxyConfiguration) {
    this.director = new Director({
      configuration,
      clock: { now: () => instantAt(performance.now() * 1_000), wallMs: () => Date.now() },
      log: (level, line) => void this.lines.push(`${level}: ${line.replaceAll(/duration: \d+ms/g, "duration: Nms")}`),
      onStatus: (_backend, server, status, change) => {
        const report = { server, status, change };
        this.reports.push(report);
        this.#waiting = this.#waiting.filter(({ matches, resolve }) => {
          if (!matches(report)) return true;
          resolve(report);
          return false;
        });
      },
      random: () => 0.5,
    });
    directors.add(this.director);
  }
  next(matches: (report: Report) => boolean): Promise<Report> {
    return new Promise((resolve) => this.#waiting.push({ matches, resolve }));
  }
  async firstResult(server = "s"): Promise<ServerStatus> {
    const checked = this.next((report) => report.server === server && report.status.check?.code !== "INI");
    this.director.start();
    return (await checked).status;
  }
}

describe("director", () => {
  const outcomes: readonly (readonly [
    what: string,
    answer: (socket: Socket) => void,
    code: CheckCode,
    status: number | undefined,
    detail: string,
  ])[] = [
    ["answers 200", saying("HTTP/1.0 200 OK\r\n\r\n"), "L7OK", 200, ""],
    ["answers 302", saying("HTTP/1.1 302 Found\r\nContent-Length: 5\r\n\r\n"), "L7OK", 302, ""],
    ["answers 503", saying("HTTP/1.0 503 Not now\r\n\r\n"), "L7STS", 503, "Not now"],
    ["answers 100 and nothing else", saying("HTTP/1.1 100 Continue\r\n\r\n"), "L7STS", 100, "Continue"],
    ["answers junk", saying("junkjunkjunk\r\n\r\n"), "L7RSP", undefined, ""],
    ["closes without a word", saying(""), "L7RSP", undefined, ""],
    ["closes in the head", saying("HTTP/1.1 200 OK\r\n"), "L7RSP", undefined, ""],
    [
      "resets the connection",
      (socket) => void socket.resetAndDestroy(),
      "SOCKERR",
      undefined,
      "Connection reset by peer",
    ],
    [
      "answers with an endless head",
      (socket) => void socket.write(`HTTP/1.1 200 OK\r\nx: ${"a".repeat(20_000)}`),
      "L7RSP",
      undefined,
      "",
    ],
    ["answers in the manner of old servers", saying("HTTP/1.1 200\nContent-Length: 0\n\n"), "L7OK", 200, ""],
  ];
  for (const [what, answer, code, status, detail] of outcomes) {
    test(`a server that ${what} is ${code}`, async () => {
      const port = await new Target(answer).listen();
      const watched = new Watched(configurationOf([slow(serverAt("s", port))]));
      const { check } = await watched.firstResult();
      assert.deepEqual([check?.code, check?.status, check?.detail], [code, status, detail]);
    });
  }

  test("an answer in pieces is put together", async () => {
    const target = new Target((socket) => {
      socket.write("HTTP/1.0 20");
      setImmediate(() => socket.write("4 No Content\r"));
      setTimeout(() => socket.write("\n\r\n"), 5);
    });
    const watched = new Watched(configurationOf([slow(serverAt("s", await target.listen()))]));
    assert.equal((await watched.firstResult()).check?.status, 204);
  });

  test("a refused connection is L4CON with the system's words, and one is enough at the start", async () => {
    const watched = new Watched(configurationOf([slow(serverAt("s", await refusedPort()))]));
    const status = await watched.firstResult();
    assert.deepEqual(
      [status.up, status.text, status.check?.code, status.check?.description, status.check?.detail],
      [false, "DOWN", "L4CON", "Layer4 connection problem", "Connection refused"],
    );
    assert.deepEqual(watched.lines, [
      'alert: Server b/s is DOWN, reason: Layer4 connection problem, info: "Connection refused", check duration: Nms. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.',
      "emerg: backend b has no server available!",
    ]);
    assert.deepEqual(watched.reports.at(-1)?.change, {
      up: false,
      cause: 'Layer4 connection problem, info: "Connection refused"',
    });
  });

  test("a server that never answers is L7TOUT within inter, or within timeout check", async () => {
    const target = new Target(() => {});
    const port = await target.listen();
    const short = new Watched(configurationOf([slow(serverAt("s", port), milliseconds(300))]));
    assert.equal((await short.firstResult()).check?.code, "L7TOUT");
    short.director.stop();
    const timeouts = { ...NO_TIMEOUTS, connect: milliseconds(1_000), check: milliseconds(10) };
    const long = new Watched(configurationOf([slow(serverAt("s", port))], { timeouts }));
    assert.equal((await long.firstResult()).check?.code, "L7TOUT");
  });

  test("a TCP check connects and closes", async () => {
    const target = new Target(() => {});
    const port = await target.listen();
    const watched = new Watched(configurationOf([slow(serverAt("s", port))], { check: { kind: "tcp" } }));
    const closed = once(target.net, "connection").then(([socket]) => once(socket as Socket, "close"));
    assert.deepEqual((await watched.firstResult()).check?.code, "L4OK");
    await closed;
    assert.equal(target.received, "");
  });

  test("the question is what `option httpchk` says", async () => {
    const target = new Target(saying("HTTP/1.1 200 OK\r\n\r\n"));
    const port = await target.listen();
    const check: CheckMethod = {
      kind: "http",
      method: "HEAD",
      uri: "/health",
      version: "HTTP/1.1",
      headers: [["Host", "www"]],
    };
    await new Watched(configurationOf([slow(serverAt("s", port))], { check })).firstResult();
    assert.equal(target.received, "HEAD /health HTTP/1.1\r\nhost: www\r\nconnection: close\r\n\r\n");
  });

  test("a server behind the PROXY protocol is greeted in it, but not at another port", async () => {
    const target = new Target(saying("HTTP/1.1 200 OK\r\n\r\n"));
    const port = await target.listen();
    const greeting = async (server: Server): Promise<string> => {
      target.received = "";
      await new Watched(configurationOf([slow(server)])).firstResult();
      return target.received;
    };
    const v1 = await greeting(serverAt("s", port, { sendProxy: 1 }));
    assert.match(
      v1,
      new RegExp(`^PROXY TCP4 127\\.0\\.0\\.1 127\\.0\\.0\\.1 \\d+ ${port}\r\nOPTIONS / HTTP/1\\.0\r\n\r\n$`),
    );
    const v2 = await greeting(serverAt("s", port, { sendProxy: 2 }));
    assert.equal(v2, "\r\n\r\n\0\r\nQUIT\n \0\0\0OPTIONS / HTTP/1.0\r\n\r\n");
    assert.equal(await greeting({ ...serverAt("s", port), port: 1, sendProxy: 1 }), "OPTIONS / HTTP/1.0\r\n\r\n");
  });

  test("a server that fails and recovers goes down and up again, with HAProxy's lines", async () => {
    const target = new Target(saying("HTTP/1.0 200 OK\r\n\r\n"));
    const servers = [serverAt("s", await target.listen()), slow(serverAt("n", 1, { check: undefined, backup: true }))];
    const watched = new Watched(configurationOf(servers, { logHealthChecks: true }));
    await watched.firstResult();
    target.answer = saying("HTTP/1.0 503 Service Unavailable\r\n\r\n");
    const down = await watched.next(({ change }) => change?.up === false);
    target.answer = saying("HTTP/1.0 200 OK\r\n\r\n");
    const up = await watched.next(({ change }) => change?.up === true);
    assert.deepEqual([down.status.text, up.status.text], ["DOWN", "UP"]);
    assert.deepEqual([up.status.downTransitions, up.status.checkFailures], [1, 2]);
    assert.deepEqual(watched.lines, [
      "notice: Health check for server b/s succeeded, reason: Layer7 check passed, code: 200, check duration: Nms, status: 2/2 UP.",
      'notice: Health check for server b/s failed, reason: Layer7 wrong status, code: 503, info: "Service Unavailable", check duration: Nms, status: 1/2 UP.',
      'notice: Health check for server b/s failed, reason: Layer7 wrong status, code: 503, info: "Service Unavailable", check duration: Nms, status: 0/2 DOWN.',
      "alert: Server b/s is DOWN. 0 active and 1 backup servers left. Running on backup. 0 sessions active, 0 requeued, 0 remaining in queue.",
      "notice: Health check for server b/s succeeded, reason: Layer7 check passed, code: 200, check duration: Nms, status: 1/2 DOWN.",
      "notice: Health check for server b/s succeeded, reason: Layer7 check passed, code: 200, check duration: Nms, status: 2/2 UP.",
      "notice: Server b/s is UP. 1 active and 1 backup servers online. 0 sessions requeued, 0 total in queue.",
    ]);
  });

  test("the servers that are left are counted on", async () => {
    const gone = await refusedPort();
    const watched = new Watched(configurationOf([serverAt("s", gone), serverAt("t", gone)]));
    const both = Promise.all(
      ["s", "t"].map((name) => watched.next(({ server, change }) => server === name && change?.up === false)),
    );
    watched.director.start();
    await both;
    assert.deepEqual(
      watched.lines.map((line) => /\d active|backend b.*/.exec(line)?.[0]),
      ["1 active", "0 active", "backend b has no server available!"],
    );
  });

  test("checks of a server never overlap", async () => {
    const target = new Target(() => {});
    const timeouts = { ...NO_TIMEOUTS, connect: milliseconds(1_000), check: milliseconds(20) };
    const watched = new Watched(configurationOf([serverAt("s", await target.listen())], { timeouts }));
    watched.director.start();
    for (let i = 0; i < 4; i++) await watched.next(({ status }) => status.check?.code === "L7TOUT");
    assert.equal(target.most, 1);
    assert.ok(target.connections >= 4);
  });

  test("at the start every server is reported: unchecked ones as such, disabled ones in maintenance", async () => {
    const servers = [
      slow(serverAt("s", await refusedPort())),
      serverAt("n", 1, { check: undefined }),
      serverAt("d", 1, { disabled: true }),
    ];
    const watched = new Watched(configurationOf(servers));
    watched.director.start();
    assert.deepEqual(
      watched.reports.map(({ server, status }) => [server, status.text, status.up]),
      [
        ["s", "UP 1/2", true],
        ["n", "no check", true],
        ["d", "MAINT", false],
      ],
    );
    assert.deepEqual(
      Object.entries(watched.director.statuses().b ?? {}).map(([name, { text }]) => [name, text]),
      [
        ["s", "UP 1/2"],
        ["n", "no check"],
        ["d", "MAINT"],
      ],
    );
  });

  test("a stopped director lets go of its connections and reports nothing more", async () => {
    const target = new Target(() => {});
    const watched = new Watched(configurationOf([slow(serverAt("s", await target.listen()))]));
    const connection = once(target.net, "connection");
    watched.director.start();
    const [socket] = (await connection) as [Socket];
    const count = watched.reports.length;
    watched.director.stop();
    await once(socket, "close");
    assert.equal(watched.reports.length, count);
    assert.deepEqual(watched.director.statuses(), {});
  });

  test("a new configuration keeps what is known of unchanged servers and starts anew with others", async () => {
    const target = new Target(saying("HTTP/1.0 200 OK\r\n\r\n"));
    const port = await target.listen();
    const gone = await refusedPort();
    const configuration = configurationOf([
      slow(serverAt("s", gone)),
      slow(serverAt("t", gone)),
      slow(serverAt("u", gone)),
    ]);
    const watched = new Watched(configuration);
    const settled = Promise.all(
      ["s", "t", "u"].map((name) => watched.next(({ server, status }) => server === name && !status.up)),
    );
    // The first checks are spread over a minute; a shorter interval brings them forward.
    watched.director.start();
    watched.director.reconfigure(
      configurationOf(["s", "t", "u"].map((name) => slow(serverAt(name, gone), milliseconds(300)))),
    );
    await settled;
    const known = watched.director.statuses().b?.s;
    assert.equal(known?.text, "DOWN");

    watched.reports.length = 0;
    watched.director.reconfigure(
      configurationOf([slow(serverAt("s", gone)), slow(serverAt("t", port)), slow(serverAt("v", port))]),
    );
    assert.deepEqual(
      watched.reports.map(({ server, status }) => [server, status.text, status.check?.code]),
      [
        ["s", "DOWN", "L4CON"],
        ["t", "UP 1/2", "INI"],
        ["v", "UP 1/2", "INI"],
      ],
    );
    const { lastChangeMs, downTransitions } = watched.reports[0]?.status ?? {};
    assert.deepEqual([lastChangeMs, downTransitions], [known?.lastChangeMs, 1]);
  });

  test("another director goes on from what this one knew", async () => {
    const gone = await refusedPort();
    const configuration = configurationOf([slow(serverAt("s", gone))]);
    const first = new Watched(configuration);
    await first.firstResult();
    const statuses = JSON.parse(JSON.stringify(first.director.statuses())) as ReturnType<Director["statuses"]>;
    const second = new Watched(configuration);
    second.director.adopt(statuses);
    const again = second.next(({ status }) => status.check?.running === false);
    second.director.start();
    const { status } = await again;
    assert.deepEqual([status.up, status.text, status.downTransitions], [false, "DOWN", 1]);
    assert.deepEqual(second.lines, []);
  });

  test("an administrator takes a server out and puts it back", async () => {
    const target = new Target(saying("HTTP/1.0 200 OK\r\n\r\n"));
    const watched = new Watched(configurationOf([slow(serverAt("s", await target.listen()))]));
    await watched.firstResult();
    assert.equal(watched.director.setMaintenance("b", "nosuch", true), false);
    assert.equal(watched.director.setMaintenance("b", "s", true), true);
    assert.deepEqual(watched.reports.at(-1)?.change, { up: false, cause: "maintenance" });
    const back = watched.next(({ status }) => status.text === "UP");
    watched.director.setMaintenance("b", "s", false);
    assert.equal(watched.reports.at(-1)?.status.text, "UP 1/2");
    await back;
    assert.deepEqual(watched.lines, [
      "alert: Server b/s is going DOWN for maintenance. 0 active and 0 backup servers left. 0 sessions active, 0 requeued, 0 remaining in queue.",
      "emerg: backend b has no server available!",
      "notice: Server b/s is UP/READY (leaving forced maintenance).",
    ]);
  });
});
