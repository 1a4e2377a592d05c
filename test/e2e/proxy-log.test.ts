import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, type TestContext, test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import {
  Client,
  get,
  type RunningProxy,
  refusingPort,
  response,
  type ServedRequest,
  startProxy,
  startServer,
  TIMEOUTS,
  until,
} from "./proxy-support.ts";

/** The configuration with which the golden rows were recorded from HAProxy. */
async function goldenProxy(context: TestContext): Promise<RunningProxy> {
  const server = await startServer(context, goldenServer);
  const at = `127.0.0.1:${server.port}`;
  const backend = (name: string) => `backend ${name}\n  server s ${at}\n`;
  const frontend = (name: string, to: string) =>
    `frontend ${name}\n  bind 127.0.0.1:80\n  option httplog\n  default_backend ${to}\n`;
  const paths = ["ok", "hang", "close", "junk", "partial", "stall"];
  return startProxy(
    context,
    "global\n  log 127.0.0.1 local0\ndefaults\n  mode http\n  log global\n  retries 1\n" +
      "  timeout connect 300ms\n  timeout client 800ms\n  timeout server 600ms\n  timeout http-request 500ms\n  timeout queue 400ms\n" +
      paths.map((name) => frontend(`fe-${name}`, name) + backend(name)).join("") +
      `${frontend("fe-nosrv", "nosrv")}backend nosrv\n` +
      `${frontend("fe-refused", "refused")}backend refused\n  server s 127.0.0.1:${await refusingPort()}\n` +
      `${frontend("fe-q", "q")}backend q\n  server s ${at} maxconn 1\n` +
      "listen fe\n  bind 127.0.0.1:80\n  option httplog\n  stats enable\n  stats uri /stats\n",
  );
}

function goldenServer({ path, socket, answer }: ServedRequest): void {
  switch (path) {
    case "/ok":
      answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
      break;
    case "/close":
      socket.destroy();
      break;
    case "/junk":
      socket.end("garbage\r\n\r\n");
      break;
    case "/partial":
      answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
      setTimeout(() => socket.destroy(), 100);
      break;
    case "/stall":
      answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc");
      break;
  }
}

/** Row name → what the client does; the path tells the frontend. */
const SCENARIOS: Readonly<Record<string, (client: Client, path: string) => Promise<unknown>>> = {
  "client aborts waiting headers": async (client, path) => {
    client.socket.write(get(path));
    client.socket.end();
    return client.rest();
  },
  "POST body never sent (timeout)": (client, path) =>
    client.ask(`POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n`),
  "bad request": (client) => client.ask("garbage\r\n\r\n"),
  "incomplete request, timeout http-request": (client) => client.ask("GET / HTTP/1.1\r\n"),
  "client closes before end of headers": async (client) => {
    client.socket.write("GET / HT");
    // As in the recording: the time shows in the line.
    await pause(100);
    client.socket.end();
    return client.rest();
  },
};
/** Rows of what is not there yet: rules, and a reload of the queue's golden run, which has its own test below. */
const LATER = /^(http-request deny|tarpit|redirect|return 204|reject|queue )/;

/** Milliseconds: never reached, or at least as long as the time-outs make it. A slow machine may take longer. */
function assertTimers(actual: string, golden: string): void {
  const seen = actual.split("/").map(Number);
  for (const [index, expected] of golden.split("/").map(Number).entries()) {
    const value = seen[index] ?? Number.NaN;
    if (expected < 0) assert.equal(value, expected, `timer ${index} of ${actual}, expected ${golden}`);
    else assert.ok(value >= (expected < 100 ? 0 : expected - 10), `timer ${index} of ${actual}, expected ${golden}`);
  }
}

describe("the log line of each way a request can end is that of HAProxy 2.6.12", () => {
  const text = readFileSync(new URL("../fixtures/haproxy/term-states.txt", import.meta.url), "utf8");
  const rows = text.split("\n").filter((line) => line.includes(" | ") && !LATER.test(line));
  for (const row of rows) {
    const [name = "", , golden = ""] = row.split(" | ");
    test(name, async (t) => {
      const proxy = await goldenProxy(t);
      const path = / "[A-Z]+ (\S+) /.exec(golden)?.[1] ?? "/";
      const frontend = path === "/" || path === "/stats" ? "fe" : `fe-${path.slice(1)}`;
      const client = await Client.connect(t, proxy.port(frontend));
      await (SCENARIOS[name] ?? ((asking, at) => asking.ask(get(at))))(client, path);
      await until("the log line", () => proxy.logs.length > 0);
      const [, , , seenServer, seenTimers, ...seen] = (proxy.logs[0] ?? "").split(" ");
      const [, expectedServer, goldenTimers, ...expected] = golden.split(" ");
      // The frontends of the recording had one name; a statistics page has our own size.
      assert.equal(seenServer?.replace(/^fe-[a-z]+\//, "fe/"), expectedServer);
      assertTimers(seenTimers ?? "", goldenTimers ?? "");
      if (name === "stats page") seen[1] = expected[1] ?? "";
      assert.equal(seen.join(" "), expected.join(" "));
    });
  }

  test("fourteen rows were replayed", () => assert.equal(rows.length, 14));

  test("a request that waits in vain for a place on a server ends with sQ, behind the one that has it", async (t) => {
    const proxy = await goldenProxy(t);
    const [first, second] = await Promise.all([0, 1].map(() => Client.connect(t, proxy.port("fe-q"))));
    const blocking = first?.ask(get("/hang"));
    await until("the place is taken", () => proxy.engine.statistics().backends.some((backend) => backend.scur === 1));
    assert.match((await second?.ask(get("/ok"))) ?? "", /^HTTP\/1\.1 503 /);
    await blocking;
    const [queued, served] = proxy.logs;
    assert.match(
      queued ?? "",
      /fe-q q\/<NOSRV> \d+\/4\d\d\/-1\/-1\/4\d\d 503 217 - - sQ-- 2\/2\/1\/0\/0 0\/1 "GET \/ok/,
    );
    assert.match(served ?? "", / fe-q q\/s 0\/0\/\d+\/-1\/6\d\d 504 198 - - sH-- /);
    assert.equal(proxy.engine.statistics().backends.find(({ name }) => name === "q")?.queuedMax, 1);
  });
});

test("the place in the queue counts those alone whose turn came", async (t) => {
  const waiting: ServedRequest[] = [];
  const server = await startServer(t, (request) => waiting.push(request));
  const proxy = startProxy(
    t,
    `defaults\n  mode http\n  log 127.0.0.1 local0\n  option httplog\n${TIMEOUTS}` +
      `listen l\n  bind :1\n  server s 127.0.0.1:${server.port} maxconn 1\n`,
  );
  const queued = () => proxy.engine.statistics().backends[0]?.queued;
  const clients: Client[] = [];
  for (const number of [0, 1, 2, 3]) {
    const client = await Client.connect(t, proxy.port());
    client.socket.write(get(`/${number}`));
    await until(`request ${number}`, () => (number === 0 ? waiting.length === 1 : queued() === number));
    clients.push(client);
  }
  clients[1]?.socket.resetAndDestroy();
  await until("one has given up", () => queued() === 2);
  for (const path of ["/0", "/2", "/3"]) {
    const request = await until(`${path} served`, () => waiting.shift());
    assert.equal(request.path, path);
    request.answer(response(path));
  }
  await until("four lines", () => proxy.logs.length === 4);
  const places = proxy.logs.map((line) => line.replace(/.* (\S+) "GET (\S+) .*/, "$2 $1")).toSorted();
  assert.deepEqual(places, ["/0 0/0", "/1 0/1", "/2 0/1", "/3 0/2"]);
});

describe("forms of log lines", () => {
  const running = async (context: TestContext, options: string) => {
    const server = await startServer(context, ({ answer }) => answer(response("ok")));
    return startProxy(
      context,
      `defaults\n  timeout connect 2s\n  timeout client 9s\n  timeout server 9s\n  log 127.0.0.1 local0\n` +
        `frontend f\n  bind 127.0.0.1:80\n${options}  default_backend b\nbackend b\n  ${options.includes("mode http") ? "mode http" : "mode tcp"}\n  server s 127.0.0.1:${server.port}\n`,
    );
  };
  const askOnce = async (context: TestContext, proxy: RunningProxy, bytes = get("/")) => {
    const client = await Client.connect(context, proxy.port());
    const answer = await client.ask(bytes);
    client.socket.end();
    await until("the log line", () => proxy.logs.length > 0);
    return { answer, port: client.socket.localPort };
  };

  test("without an option one short line at the beginning of each request", async (t) => {
    const proxy = await running(t, "  mode http\n");
    const { port } = await askOnce(t, proxy);
    assert.deepEqual(proxy.logs, [`Connect from 127.0.0.1:${port} to 127.0.0.1:${proxy.port()} (f/HTTP)`]);
  });

  test("httplog clf", async (t) => {
    const proxy = await running(t, "  mode http\n  option httplog clf\n");
    const { port } = await askOnce(t, proxy, get('/a"b'));
    assert.match(
      proxy.logs[0] ?? "",
      new RegExp(
        String.raw`^127\.0\.0\.1 - - \[\d\d/[A-Z][a-z]{2}/\d{4}:\d\d:\d\d:\d\d [+-]\d{4}\] "GET /a#22b HTTP/1\.1" 200 51 "" "" ${port} \d{3} "f" "b" "s" \d+ \d+ \d+ \d+ \d+ ---- 1 1 0 0 0 0 0 "" "" $`,
      ),
    );
  });

  test("tcplog counts what went to the client", async (t) => {
    const proxy = await running(t, "  option tcplog\n");
    await askOnce(t, proxy);
    assert.match(proxy.logs[0] ?? "", /^127\.0\.0\.1:\d+ \[\S+\] f b\/s \d+\/\d+\/\d+ 40 -- 1\/1\/0\/0\/0 0\/0$/);
  });

  test("dontlog-normal keeps quiet about what went well, dontlognull about who said nothing", async (t) => {
    const proxy = await running(t, "  mode http\n  option httplog\n  option dontlog-normal\n  option dontlognull\n");
    const silent = await Client.connect(t, proxy.port());
    silent.socket.end();
    await silent.rest();
    const client = await Client.connect(t, proxy.port());
    await client.ask(get("/fine"));
    client.socket.write("bad\r\n\r\n");
    await client.rest();
    assert.equal(proxy.logs.length, 1);
    assert.match(proxy.logs[0] ?? "", / 400 0 - - PR-- .*"<BADREQ>"$/);
  });

  test("an interim count: bytes of a body are counted as they pass, long before the line is written", async (t) => {
    const server = await startServer(t, ({ answer }) => answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nabc"));
    const proxy = startProxy(
      t,
      `defaults\n  mode http\n  timeout client 9s\n  timeout connect 9s\n  timeout server 9s\nlisten f\n  bind 127.0.0.1:80\n  server s 127.0.0.1:${server.port}\n`,
    );
    const client = await Client.connect(t, proxy.port());
    client.socket.write(get());
    await until("the beginning", () => client.text.endsWith("abc"));
    const [frontend] = proxy.engine.statistics().frontends;
    assert.deepEqual([frontend?.bout, frontend?.hrsp[2]], [54, 0]);
  });
});
