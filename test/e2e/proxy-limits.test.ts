import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { duplicate } from "../../src/sys/duplicate.ts";
import { closeDescriptor } from "../../src/sys/listen.ts";
import {
  bodyOf,
  Client,
  get,
  listenOnFreePort,
  named,
  once,
  portOf,
  response,
  type ServedRequest,
  startProxy,
  startRawServer,
  startServer,
  statusOf,
  TIMEOUTS,
  until,
} from "./proxy-support.ts";

const frontend = (more = "", timeouts = TIMEOUTS) =>
  `defaults\n  mode http\n  option httplog\n  log 127.0.0.1 local0\n${timeouts}frontend f\n  bind 127.0.0.1:80\n${more}  default_backend b\nbackend b\n`;

const BAD_REQUEST =
  "HTTP/1.1 400 Bad request\r\nContent-length: 90\r\nCache-Control: no-cache\r\nConnection: close\r\nContent-Type: text/html\r\n\r\n" +
  "<html><body><h1>400 Bad request</h1>\nYour browser sent an invalid request.\n</body></html>\n";

describe("what strangers send", () => {
  const hostile: Readonly<Record<string, string | Buffer>> = {
    "bytes without sense": Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 97) & 0xff)),
    "a TLS hello": Buffer.from("16030100c8010000c40303", "hex"),
    "a head larger than bufsize less maxrewrite": `GET / HTTP/1.1\r\nHost: x\r\nA: ${"a".repeat(20_000)}\r\n\r\n`,
    "more header fields than are allowed": `GET / HTTP/1.1\r\nHost: x\r\n${"a: b\r\n".repeat(150)}\r\n`,
    "both lengths": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "a folded field": "GET / HTTP/1.1\r\nHost: x\r\nA: b\r\n c\r\n\r\n",
    "a space before the colon": "GET / HTTP/1.1\r\nHost: x\r\nA : b\r\n\r\n",
  };
  for (const [what, bytes] of Object.entries(hostile)) {
    test(`${what} is answered with 400 and reaches no server`, async (t) => {
      const server = await startServer(t, named("s"));
      const proxy = startProxy(t, `${frontend()}  server s 127.0.0.1:${server.port}\n`);
      const client = await Client.connect(t, proxy.port());
      client.socket.write(bytes);
      if (what === "a TLS hello") client.socket.write("\r\n");
      assert.equal(await client.rest(), BAD_REQUEST);
      assert.equal(server.requests.length, 0);
      assert.match(
        proxy.logs[0] ?? "",
        / f f\/<NOSRV> -1\/-1\/-1\/-1\/\d+ 400 0 - - PR-- 1\/1\/0\/0\/0 0\/0 "<BADREQ>"$/,
      );
      assert.equal(proxy.engine.statistics().frontends[0]?.ereq, 1);
    });
  }

  test("a body whose chunks make no sense is cut off, and its server connection is not used again", async (t) => {
    const server = await startServer(t, named("s"));
    const proxy = startProxy(t, `${frontend()}  http-reuse always\n  server s 127.0.0.1:${server.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.write("POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nZZ\r\n");
    assert.match(await client.rest(), /^HTTP\/1\.1 400 /);
    assert.equal(bodyOf(await once(t, proxy.port())), "s");
    assert.equal(server.requests.length, 1);
  });

  test("a request that comes a byte at a time has to be complete in the time of http-request", async (t) => {
    const proxy = startProxy(t, frontend("", `${TIMEOUTS}  timeout http-request 300ms\n`));
    const client = await Client.connect(t, proxy.port());
    const drip = setInterval(() => client.socket.write("a"), 20);
    t.after(() => clearInterval(drip));
    client.socket.write("GET /");
    const answer = await client.response();
    clearInterval(drip);
    assert.match(answer, /^HTTP\/1\.1 408 Request Time-out\r\n/);
    assert.match(proxy.logs[0] ?? "", / -1\/-1\/-1\/-1\/\d+ 408 0 - - cR-- /);
  });

  test("an idle keep-alive connection is closed without a word after its time", async (t) => {
    const server = await startServer(t, named("s"));
    const timeouts = `${TIMEOUTS}  timeout http-keep-alive 150ms\n`;
    const proxy = startProxy(t, `${frontend("", timeouts)}  server s 127.0.0.1:${server.port}\n`);
    const client = await Client.connect(t, proxy.port());
    await client.ask(get());
    assert.equal(await client.rest(), "");
    assert.equal(proxy.logs.length, 1);
  });

  test("a client that asks and asks and never reads is not served on and on", async (t) => {
    const server = await startServer(t, ({ answer }) => answer(response("x".repeat(100_000))));
    const proxy = startProxy(t, `${frontend()}  server s 127.0.0.1:${server.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.pause();
    client.socket.write(get().repeat(2000));
    let before = -1;
    await until("no more requests", async () => {
      const still = before === server.requests.length;
      before = server.requests.length;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return before > 0 && still && before === server.requests.length;
    });
    assert.ok(server.requests.length < 1000, `${server.requests.length} were served`);
  });
});

test("a server that goes on with interim responses is given up, also for a client that cannot see them", async (t) => {
  const ended: string[] = [];
  const server = await startServer(t, ({ path, socket }) => {
    const flood = () => {
      while (!socket.destroyed && socket.write("HTTP/1.1 100 Continue\r\n\r\n".repeat(100)));
    };
    socket.on("drain", flood);
    socket.on("close", () => ended.push(path));
    flood();
  });
  const proxy = startProxy(t, `${frontend()}  server s 127.0.0.1:${server.port}\n`);
  const old = await once(t, proxy.port(), "GET /old HTTP/1.0\r\n\r\n");
  assert.match(old, /^HTTP\/1\.1 502 /);
  const client = await Client.connect(t, proxy.port());
  client.socket.write(get("/new", "Connection: close\r\n"));
  const messages = (await client.rest()).split("\r\n\r\n");
  assert.deepEqual(messages.slice(0, 1000), Array(1000).fill("HTTP/1.1 100 Continue"));
  assert.match(messages[1000] ?? "", /^HTTP\/1\.1 502 /);
  await until("both are closed", () => ended.length === 2);
});

test("clients with one request each leave no more idle connections than were used at once", async (t) => {
  const server = await startServer(t, named("s"));
  const proxy = startProxy(t, `${frontend()}  server s 127.0.0.1:${server.port}\n`);
  const idle = () => proxy.engine.statistics().backends[0]?.servers[0]?.idle;
  for (let i = 0; i < 5; i++) await once(t, proxy.port());
  assert.equal(idle(), 1);
  await until("the others are closed", () => server.connections.filter((socket) => !socket.destroyed).length === 1);
});

test("a client that wants page after page and never reads is not answered on and on", async (t) => {
  const proxy = startProxy(t, `${frontend("  stats enable\n  stats uri /stats\n")}`);
  const client = await Client.connect(t, proxy.port());
  client.socket.pause();
  client.socket.write(get("/stats").repeat(4000));
  const answered = () => proxy.engine.statistics().frontends[0]?.intercepted ?? 0;
  let before = -1;
  await until("no more answers", async () => {
    const still = before === answered();
    before = answered();
    await new Promise((resolve) => setTimeout(resolve, 200));
    return before > 0 && still && before === answered();
  });
  assert.ok(answered() < 2000, `${answered()} were answered`);
});

describe("bytes of any kind", () => {
  const pieces = fc.array(
    fc.oneof(
      fc.constantFrom(
        "GET / HTTP/1.1\r\n",
        "Host: x\r\n",
        "\r\n",
        "POST /a HTTP/1.0\r\n",
        "Content-Length: 5\r\n",
        "12345",
      ),
      fc.constantFrom(
        "Transfer-Encoding: chunked\r\n",
        "5\r\n12345\r\n",
        "0\r\n\r\n",
        "Connection: close\r\n",
        "HTTP/1.1 200 OK\r\n",
      ),
      fc.constantFrom(
        "HTTP/1.1 101 Sw\r\n",
        "HTTP/1.1 100 C\r\n\r\n",
        "Upgrade: a\r\nConnection: upgrade\r\n",
        "HTTP/1.0 204 No\r\n",
      ),
      fc.string({ unit: "binary", maxLength: 8 }),
    ),
    { maxLength: 10 },
  );

  test("from clients and servers leave the proxy whole: it answers the next client and forgets nobody", async (t) => {
    let answers: readonly string[] = [];
    const raw = await startRawServer(t, (socket) => {
      socket.once("data", () => {
        for (const answer of answers) socket.write(Buffer.from(answer, "latin1"));
        socket.end();
      });
    });
    const good = await startServer(t, named("good"));
    const proxy = startProxy(
      t,
      `${frontend()}  http-reuse always\n  server s 127.0.0.1:${raw.port}\n` +
        `frontend good\n  bind 127.0.0.1:80\n  default_backend good\nbackend good\n  server s 127.0.0.1:${good.port}\n`,
    );
    await fc.assert(
      fc.asyncProperty(pieces, pieces, fc.boolean(), async (request, response, wellFormed) => {
        answers = response;
        const client = await Client.connect(t, proxy.port("f"));
        for (const piece of wellFormed ? [get(), ...request] : request)
          client.socket.write(Buffer.from(piece, "latin1"));
        client.socket.end();
        await client.rest();
        client.socket.destroy();
        assert.equal(bodyOf(await once(t, proxy.port("good"))), "good");
      }),
      { numRuns: 100 },
    );
    await until("all clients are gone", () => !proxy.engine.hasWork());
    const { backends } = proxy.engine.statistics();
    assert.deepEqual(
      backends.map(({ scur, queued, servers }) => [scur, queued, servers[0]?.scur, servers[0]?.used ?? 0]),
      backends.map(() => [0, 0, 0, 0]),
    );
  });
});

describe("maxconn", () => {
  for (const [what, configuration] of [
    ["of a frontend", frontend("  maxconn 2\n")],
    ["of the process", `global\n  maxconn 2\n${frontend()}`],
  ] as const) {
    test(`a limit ${what} leaves further clients in the kernel's queue until one goes`, async (t) => {
      const server = await startServer(t, named("s"));
      const proxy = startProxy(t, `${configuration}  server s 127.0.0.1:${server.port}\n`);
      const [first, second] = [await Client.connect(t, proxy.port()), await Client.connect(t, proxy.port())];
      await first.ask(get());
      await second.ask(get());
      const third = await Client.connect(t, proxy.port());
      third.socket.write(get());
      assert.equal(bodyOf(await first.ask(get())), "s");
      assert.equal(third.text, "");
      assert.deepEqual(
        [proxy.engine.statistics().currConns, proxy.engine.statistics().frontends[0]?.status],
        [2, "FULL"],
      );
      second.socket.destroy();
      assert.equal(bodyOf(await third.response()), "s");
      first.socket.destroy();
      await until("open again", () => proxy.engine.statistics().frontends[0]?.status === "OPEN");
    });
  }

  test("a server's maxconn makes requests wait their turn, and none is lost", async (t) => {
    const waiting: ServedRequest[] = [];
    const server = await startServer(t, (request) => waiting.push(request));
    const proxy = startProxy(t, `${frontend()}  server s 127.0.0.1:${server.port} maxconn 2\n`);
    const clients = await Promise.all(Array.from({ length: 6 }, () => Client.connect(t, proxy.port())));
    const answers = clients.map((client, i) => client.ask(get(`/${i}`)));
    for (let served = 0; served < 6; served++) {
      const request = await until("a request", () => waiting.shift());
      assert.ok(waiting.length <= 1);
      request.answer(response(request.path));
    }
    assert.deepEqual((await Promise.all(answers)).map(bodyOf), ["/0", "/1", "/2", "/3", "/4", "/5"]);
    assert.equal(proxy.engine.statistics().backends[0]?.queuedMax, 4);
    assert.equal(proxy.engine.statistics().backends[0]?.servers[0]?.smax, 2);
  });

  test("a request bound to a server by its cookie waits for that server, and moves on when it goes down", async (t) => {
    const blocked: ServedRequest[] = [];
    const one = await startServer(t, (request) => blocked.push(request));
    const two = await startServer(t, named("two"));
    const lines = `  option redispatch\n  cookie C insert indirect\n  server s1 127.0.0.1:${one.port} cookie one maxconn 1\n  server s2 127.0.0.1:${two.port} cookie two\n`;
    const proxy = startProxy(t, frontend() + lines);
    const [first, second] = [await Client.connect(t, proxy.port()), await Client.connect(t, proxy.port())];
    first.socket.write(get("/", "Cookie: C=one\r\n"));
    await until("the place is taken", () => blocked.length === 1);
    second.socket.write(get("/", "Cookie: C=one\r\n"));
    await until("it waits", () => proxy.engine.statistics().backends[0]?.servers[0]?.queued === 1);
    proxy.engine.setServerStatus("b", "s1", statusOf(false));
    assert.equal(bodyOf(await second.response()), "two");
  });
});

describe("stopping", () => {
  test("a soft stop finishes requests with Connection: close, closes idle connections and takes no new ones", async (t) => {
    const waiting: ServedRequest[] = [];
    const server = await startServer(t, (request) => {
      if (request.path === "/slow") waiting.push(request);
      else request.answer(response("s"));
    });
    const proxy = startProxy(t, `${frontend()}  server s 127.0.0.1:${server.port}\n`);
    const idle = await Client.connect(t, proxy.port());
    await idle.ask(get());
    const busy = await Client.connect(t, proxy.port());
    busy.socket.write(get("/slow"));
    const request = await until("the slow request", () => waiting[0]);
    let stopped = false;
    const stop = proxy.engine.softStop().then(() => {
      stopped = true;
    });
    assert.equal(await idle.rest(), "");
    idle.socket.end();
    await assert.rejects(Client.connect(t, proxy.port()));
    assert.equal(stopped, false);
    assert.equal(proxy.engine.hasWork(), true);
    request.answer(response("last"));
    assert.match(await busy.rest(), /^HTTP\/1\.1 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nlast$/);
    busy.socket.end();
    await stop;
    assert.equal(proxy.engine.hasWork(), false);
    await proxy.engine.softStop();
  });

  test("hard-stop-after cuts what is still there", async (t) => {
    const server = await startServer(t, () => {});
    const proxy = startProxy(t, `global\n  hard-stop-after 200ms\n${frontend()}  server s 127.0.0.1:${server.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.write(get());
    await until("the server has it", () => server.requests.length === 1);
    await proxy.engine.softStop();
    assert.equal(proxy.engine.hasWork(), false);
    await client.rest();
    assert.match(proxy.logs[0] ?? "", / -1 0 - - KH-- /);
  });

  test("a new process on the same socket takes over without a lost connection", async (t) => {
    const server = await startServer(t, named("s"));
    const configuration = `${frontend()}  server s 127.0.0.1:${server.port}\n`;
    // The supervisor's own descriptor keeps the socket and its queue while processes come and go.
    const descriptor = listenOnFreePort();
    const copies = Array.from({ length: 4 }, () => duplicate(descriptor));
    t.after(() => closeDescriptor(descriptor));
    const port = portOf(descriptor);
    let running = startProxy(t, configuration, {}, new Map([["f", copies.pop() ?? 0]]));
    let answered = 0;
    let asking = true;
    const clients = Array.from({ length: 4 }, async () => {
      while (asking) {
        const client = await Client.connect(t, port);
        assert.equal(bodyOf(await client.ask(get("/", "Connection: close\r\n"))), "s");
        client.socket.destroy();
        answered++;
      }
    });
    for (let generation = 0; generation < 3; generation++) {
      const goal = answered + 50;
      await until("some requests", () => answered > goal);
      const next = startProxy(t, configuration, {}, new Map([["f", copies.pop() ?? 0]]));
      await running.engine.softStop();
      running = next;
    }
    asking = false;
    await Promise.all(clients);
    assert.ok(answered > 150);
  });
});
