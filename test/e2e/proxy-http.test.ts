import assert from "node:assert/strict";
import { describe, type TestContext, test } from "node:test";
import {
  bodyOf,
  Client,
  get,
  named,
  once,
  openDescriptors,
  refusingPort,
  response,
  type ScriptedServer,
  startProxy,
  startRawServer,
  startServer,
  statusOf,
  TIMEOUTS,
  until,
} from "./proxy-support.ts";

const FRONTEND = `defaults\n  mode http\n${TIMEOUTS}frontend f\n  bind 127.0.0.1:80\n  default_backend b\n`;

const serverLines = (servers: readonly ScriptedServer[], more: readonly string[] = []): string =>
  servers.map((server, i) => `  server s${i + 1} 127.0.0.1:${server.port} ${more[i] ?? ""}\n`).join("");

const threeServers = (context: TestContext) =>
  Promise.all(["s1", "s2", "s3"].map((name) => startServer(context, named(name))));

/** One server behind one frontend; `backend` is added to the backend. */
async function behind(context: TestContext, server: ScriptedServer, backend = "", frontend = "") {
  return startProxy(context, `${FRONTEND}${frontend}backend b\n${backend}${serverLines([server])}`);
}

async function bodies(context: TestContext, port: number, count: number): Promise<string> {
  const seen: string[] = [];
  for (let i = 0; i < count; i++) seen.push(bodyOf(await once(context, port)));
  return seen.join(" ");
}

describe("choosing a server", () => {
  test("round robin sends request n to server n modulo three", async (t) => {
    const proxy = startProxy(t, `${FRONTEND}backend b\n${serverLines(await threeServers(t))}`);
    assert.equal(await bodies(t, proxy.port(), 6), "s1 s2 s3 s1 s2 s3");
  });

  test("weights 10, 25 and 15 send two, five and three of ten requests", async (t) => {
    const lines = serverLines(await threeServers(t), ["weight 10", "weight 25", "weight 15"]);
    const proxy = startProxy(t, `${FRONTEND}backend b\n${lines}`);
    const order = (await bodies(t, proxy.port(), 10)).split(" ");
    assert.deepEqual(
      ["s1", "s2", "s3"].map((name) => order.filter((seen) => seen === name).length),
      [2, 5, 3],
    );
  });

  test("a server that is reported down gets no more requests, and a backup only when all others are down", async (t) => {
    const lines = serverLines(await threeServers(t), ["", "", "backup"]);
    const proxy = startProxy(t, `${FRONTEND}backend b\n${lines}`);
    assert.equal(await bodies(t, proxy.port(), 4), "s1 s2 s1 s2");
    proxy.engine.setServerStatus("b", "s1", statusOf(false));
    assert.equal(await bodies(t, proxy.port(), 2), "s2 s2");
    proxy.engine.setServerStatus("b", "s2", statusOf(false));
    assert.equal(await bodies(t, proxy.port(), 2), "s3 s3");
    proxy.engine.setServerStatus("b", "s3", statusOf(false));
    assert.match(await once(t, proxy.port()), /^HTTP\/1\.1 503 /);
    proxy.engine.setServerStatus("b", "s1", statusOf(true));
    assert.equal(await bodies(t, proxy.port(), 2), "s1 s1");
    proxy.engine.setServerStatus("nosuch", "s1", statusOf(true));
  });

  test("the cookie that a client was given brings it back to its server, and the server never sees it", async (t) => {
    const servers = await threeServers(t);
    const lines = serverLines(servers, ["cookie one", "cookie two", "cookie three"]);
    const proxy = startProxy(t, `${FRONTEND}backend b\n  cookie SRV insert indirect nocache\n${lines}`);
    const first = await once(t, proxy.port());
    assert.match(first, /\r\nset-cookie: SRV=one; path=\/\r\n/);
    for (let i = 0; i < 3; i++) {
      const again = await once(t, proxy.port(), get("/", "Cookie: a=1; SRV=two; b=2\r\n"));
      assert.equal(bodyOf(again), "s2");
      assert.doesNotMatch(again, /set-cookie/);
    }
    assert.match(servers[1]?.requests.at(-1)?.head ?? "", /\r\ncookie: a=1; b=2$/);
    proxy.engine.setServerStatus("b", "s2", statusOf(false));
    const moved = await once(t, proxy.port(), get("/", "Cookie: SRV=two\r\n"));
    assert.match(moved, /\r\nset-cookie: SRV=(one|three); path=\/\r\n/);
  });
});

describe("connections to servers", () => {
  test("a client's further requests use an idle connection of any client before them", async (t) => {
    const server = await startServer(t, named("s"));
    const proxy = await behind(t, server);
    for (let i = 0; i < 3; i++) {
      const client = await Client.connect(t, proxy.port());
      for (let request = 0; request < 4; request++) assert.equal(bodyOf(await client.ask(get())), "s");
    }
    // `http-reuse safe`: only the first request of each client opened one.
    assert.equal(server.connections.length, 3);
    const [backend] = proxy.engine.statistics().backends;
    assert.deepEqual([backend?.connect, backend?.reuse], [3, 9]);
  });

  test("http-reuse always shares from the first request on, never keeps each to itself", async (t) => {
    for (const [policy, expected] of [
      ["always", 1],
      ["never", 6],
    ] as const) {
      const server = await startServer(t, named("s"));
      const proxy = await behind(t, server, `  http-reuse ${policy}\n`);
      for (let i = 0; i < 3; i++) {
        const client = await Client.connect(t, proxy.port());
        await client.ask(get());
        await client.ask(get());
      }
      assert.equal(server.connections.length, expected, policy);
    }
  });

  test("server-close asks the server to close and keeps the client; httpclose closes both", async (t) => {
    const server = await startServer(t, named("s"));
    const one = await behind(t, server, "", "  option http-server-close\n");
    const client = await Client.connect(t, one.port());
    assert.equal(bodyOf(await client.ask(get())), "s");
    assert.equal(bodyOf(await client.ask(get())), "s");
    assert.match(server.requests[0]?.head ?? "", /\r\nconnection: close$/);
    assert.equal(server.connections.length, 2);
    const two = await behind(t, server, "", "  option httpclose\n");
    const closed = await (await Client.connect(t, two.port())).ask(get());
    assert.match(closed, /\r\nconnection: close\r\n/);
  });

  test("a server that closes its idle connection just then costs an idempotent request nothing", async (t) => {
    const server = await startServer(t, ({ path, socket, answer }) => {
      // The first connection dies on its second request, as if the server had closed it meanwhile.
      if (path === "/second" && socket === server.connections[0]) socket.destroy();
      else answer(response(path));
    });
    const proxy = await behind(t, server);
    const client = await Client.connect(t, proxy.port());
    assert.equal(bodyOf(await client.ask(get("/first"))), "/first");
    assert.equal(bodyOf(await client.ask(get("/second"))), "/second");
    assert.equal(server.connections.length, 2);
  });

  test("a POST that died on a reused connection is not repeated: the client is cut and may decide", async (t) => {
    const server = await startServer(t, ({ path, socket, answer }) => {
      if (path === "/second") socket.destroy();
      else answer(response(path));
    });
    const proxy = await behind(t, server);
    for (const body of ["hi", ""]) {
      const client = await Client.connect(t, proxy.port());
      await client.ask(get("/first"));
      const post = `POST /second HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      assert.equal(await client.ask(post), "");
      assert.ok(client.ended);
    }
    assert.equal(server.requests.length, 4);
  });

  test("bytes that nobody asked for end a connection instead of answering the next request", async (t) => {
    const server = await startServer(t, ({ answer }) => answer(`${response("good")}HTTP/1.1 200 OK\r\n\r\nsmuggled`));
    const proxy = await behind(t, server);
    const client = await Client.connect(t, proxy.port());
    assert.equal(bodyOf(await client.ask(get())), "good");
    assert.equal(bodyOf(await client.ask(get())), "good");
    assert.equal(server.connections.length, 2);
  });

  test("idle connections that the server closes leave the pool", async (t) => {
    const server = await startServer(t, named("s"));
    const proxy = await behind(t, server);
    await (await Client.connect(t, proxy.port())).ask(get());
    assert.equal(proxy.engine.statistics().backends[0]?.servers[0]?.idle, 1);
    server.connections[0]?.end();
    await until("the pool is empty", () => proxy.engine.statistics().backends[0]?.servers[0]?.idle === 0);
  });

  test("a refused connection is retried on another server with option redispatch, whatever the cookie says", async (t) => {
    const server = await startServer(t, named("alive"));
    const lines = `  server dead 127.0.0.1:${await refusingPort()} cookie d\n  server s 127.0.0.1:${server.port} cookie s\n`;
    const backend = `backend b\n  cookie SRV insert indirect\n  option redispatch\n  retries 1\n${lines}`;
    const proxy = startProxy(t, `${FRONTEND}  option httplog\n  log 127.0.0.1 local0\n${backend}`);
    const answer = await once(t, proxy.port(), get("/", "Cookie: SRV=d\r\n"));
    assert.match(answer, /\r\nset-cookie: SRV=s; path=\/\r\n/);
    assert.match(proxy.logs[0] ?? "", / f b\/s .* 200 \d+ - - --DI 1\/1\/0\/0\/\+1 0\/0 /);
    const dead = proxy.engine.statistics().backends[0]?.servers[0];
    assert.deepEqual([dead?.wredis, dead?.wretr, dead?.econ], [1, 0, 0]);
  });

  test("a server that is marked down with shutdown-sessions takes its requests with it", async (t) => {
    const server = await startServer(t, () => {});
    const proxy = startProxy(
      t,
      `${FRONTEND}  option httplog\n  log 127.0.0.1 local0\nbackend b\n${serverLines([server], ["on-marked-down shutdown-sessions"])}`,
    );
    const client = await Client.connect(t, proxy.port());
    client.socket.write(get());
    await until("the server has the request", () => server.requests.length === 1);
    proxy.engine.setServerStatus("b", "s1", statusOf(false));
    assert.match(await client.response(), /^HTTP\/1\.1 502 /);
    assert.match(proxy.logs[0] ?? "", / 502 209 - - DH-- /);
  });

  for (const version of ["send-proxy", "send-proxy-v2"]) {
    test(`${version} says whom the connection is for before anything else`, async (t) => {
      const got: Buffer[] = [];
      const raw = await startRawServer(t, (socket) => socket.on("data", (chunk: Buffer) => got.push(chunk)));
      const proxy = startProxy(t, `${FRONTEND}backend b\n  server s 127.0.0.1:${raw.port} ${version}\n`);
      const client = await Client.connect(t, proxy.port());
      client.socket.write(get("/here"));
      await until("the request", () => Buffer.concat(got).includes("GET /here"));
      const bytes = Buffer.concat(got);
      const port = client.socket.localPort ?? 0;
      if (version === "send-proxy") {
        const line = `PROXY TCP4 127.0.0.1 127.0.0.1 ${port} ${proxy.port()}\r\nGET /here `;
        assert.equal(bytes.toString("latin1").slice(0, line.length), line);
      } else {
        assert.equal(bytes.subarray(0, 16).toString("hex"), "0d0a0d0a000d0a515549540a2111000c");
        assert.deepEqual([bytes.readUInt16BE(24), bytes.readUInt16BE(26)], [port, proxy.port()]);
        assert.equal(bytes.subarray(28, 32).toString(), "GET ");
      }
    });
  }
});

describe("messages", () => {
  test("names arrive in lower case, values as they were, and forwardfor adds the client's address at the end", async (t) => {
    const server = await startServer(t, ({ answer }) => answer(response("x", "X-Answer: Yes\r\n")));
    const proxy = await behind(t, server, "", "  option forwardfor\n");
    const answer = await once(t, proxy.port(), get("/a?b=%41", "X-Thing: A b\r\nX-Forwarded-For: 9.9.9.9\r\n"));
    assert.equal(
      server.requests[0]?.head,
      "GET /a?b=%41 HTTP/1.1\r\nhost: x\r\nx-thing: A b\r\nx-forwarded-for: 9.9.9.9\r\nx-forwarded-for: 127.0.0.1",
    );
    assert.equal(answer, "HTTP/1.1 200 OK\r\nx-answer: Yes\r\ncontent-length: 1\r\n\r\nx");
  });

  test("pipelined requests are answered in order over one connection", async (t) => {
    const server = await startServer(t, ({ path, answer }) => answer(response(path)));
    const proxy = await behind(t, server);
    const client = await Client.connect(t, proxy.port());
    const paths = Array.from({ length: 20 }, (_, i) => `/${i}`);
    client.socket.write(paths.map((path) => get(path)).join(""));
    for (const path of paths) assert.equal(bodyOf(await client.response()), path);
  });

  test("a status line that ends behind the status is taken, and leaves as it should be", async (t) => {
    const server = await startServer(t, ({ answer }) => answer("HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok"));
    const proxy = await behind(t, server);
    assert.equal(await once(t, proxy.port()), "HTTP/1.1 200 \r\ncontent-length: 2\r\n\r\nok");
  });

  test("responses without a body are known by the request and the status", async (t) => {
    const server = await startServer(t, ({ head, path, answer }) => {
      if (head.startsWith("HEAD")) answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n");
      else if (path === "/204") answer("HTTP/1.1 204 No Content\r\n\r\n");
      else if (path === "/304") answer("HTTP/1.1 304 Not Modified\r\nETag: x\r\n\r\n");
      else answer(response("after"));
    });
    const proxy = await behind(t, server);
    const client = await Client.connect(t, proxy.port());
    client.socket.write("HEAD / HTTP/1.1\r\nHost: x\r\n\r\n");
    client.socket.write(get("/204") + get("/304") + get("/last", "Connection: close\r\n"));
    assert.equal(
      await client.rest(),
      "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n" +
        "HTTP/1.1 204 No Content\r\n\r\n" +
        "HTTP/1.1 304 Not Modified\r\netag: x\r\n\r\n" +
        "HTTP/1.1 200 OK\r\ncontent-length: 5\r\nconnection: close\r\n\r\nafter",
    );
    assert.equal(server.connections.length <= 2, true);
  });

  test("chunked bodies and trailers go through both ways", async (t) => {
    const server = await startServer(t, ({ body, answer }) => {
      assert.equal(body.toString(), "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
      answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nwxyz\r\n0\r\nX-Sum: 7\r\n\r\n");
    });
    const proxy = await behind(t, server);
    const client = await Client.connect(t, proxy.port());
    client.socket.write(
      "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n3;ext=1\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    assert.equal(
      await client.rest(),
      "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n4\r\nwxyz\r\n0\r\nx-sum: 7\r\n\r\n",
    );
  });

  test("a client of HTTP/1.0 gets a chunked answer without chunks, ended by the close", async (t) => {
    const server = await startServer(t, ({ answer }) =>
      answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n"),
    );
    const proxy = await behind(t, server);
    const client = await Client.connect(t, proxy.port());
    client.socket.write("GET / HTTP/1.0\r\n\r\n");
    assert.equal(bodyOf(await client.rest()), "abc");
  });

  test("100 Continue and 103 pass on before the final answer", async (t) => {
    const raw = await startRawServer(t, (socket) => {
      let all = "";
      socket.on("data", (chunk) => {
        all += chunk.toString("latin1");
        if (all.endsWith("\r\n\r\n")) socket.write("HTTP/1.1 100 Continue\r\n\r\n");
        else socket.write(`HTTP/1.1 103 Early Hints\r\nLink: </s>\r\n\r\n${response(all.slice(-4))}`);
      });
    });
    const proxy = startProxy(t, `${FRONTEND}backend b\n  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.write("POST / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert.equal(await client.response(), "HTTP/1.1 100 Continue\r\n\r\n");
    assert.equal(await client.ask("body"), "HTTP/1.1 103 Early Hints\r\nlink: </s>\r\n\r\n");
    assert.equal(bodyOf(await client.response()), "body");
  });

  test("after 101 the connection is a tunnel until both sides have closed", async (t) => {
    const server = await startServer(t, ({ head, socket, answer }) => {
      assert.match(head, /\r\nupgrade: websocket\r\nconnection: upgrade$/);
      answer("HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\nhello");
      socket.removeAllListeners("data");
      socket.on("data", (chunk) => socket.write(`echo ${chunk}`));
      socket.on("end", () => socket.end("bye"));
    });
    const proxy = startProxy(
      t,
      `${FRONTEND}  option httplog\n  log 127.0.0.1 local0\nbackend b\n${serverLines([server])}`,
    );
    const client = await Client.connect(t, proxy.port());
    client.socket.write(get("/ws", "Connection: Upgrade\r\nUpgrade: websocket\r\n"));
    await until("the first words", () => client.text.endsWith("hello"));
    client.socket.write("GET / HTTP/1.1\r\n\r\n");
    await until("the echo", () => client.text.endsWith("echo GET / HTTP/1.1\r\n\r\n"));
    client.socket.end();
    assert.match(await client.rest(), /bye$/);
    await until("the log", () => proxy.logs.length > 0);
    assert.match(proxy.logs[0] ?? "", / 101 \d+ - - ---- /);
  });

  test("a response that ends with the connection ends the client's too", async (t) => {
    const server = await startServer(t, ({ socket }) => socket.end("HTTP/1.1 200 OK\r\n\r\nall of it"));
    const proxy = await behind(t, server);
    const client = await Client.connect(t, proxy.port());
    client.socket.write(get());
    assert.equal(await client.rest(), "HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nall of it");
  });

  test("an answer before the end of the request's body ends the connection after it", async (t) => {
    const raw = await startRawServer(t, (socket) =>
      socket.once("data", () => socket.write(response("too large", "", "HTTP/1.1 413 Payload Too Large"))),
    );
    const proxy = startProxy(t, `${FRONTEND}backend b\n  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\nfirst");
    assert.match(await client.rest(), /^HTTP\/1\.1 413 .*too large$/s);
  });
});

describe("large bodies", () => {
  const megabytes = 24 * 1024 * 1024;

  test("a client that does not read holds the server back instead of filling the memory", async (t) => {
    let sent = 0;
    const block = Buffer.alloc(64 * 1024, "x");
    const raw = await startRawServer(t, (socket) => {
      const more = () => {
        while (sent < megabytes) {
          sent += block.length;
          if (!socket.write(block)) return;
        }
      };
      socket.on("drain", more);
      socket.once("data", () => {
        socket.write(`HTTP/1.1 200 OK\r\nContent-Length: ${megabytes}\r\n\r\n`);
        more();
      });
    });
    const proxy = startProxy(t, `${FRONTEND}backend b\n  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    client.socket.pause();
    client.socket.write(get());
    // All buffers between the two are full when nothing moves any more.
    let before = -1;
    await until("the server stops", async () => {
      const still = sent > 0 && sent === before;
      before = sent;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return still && sent === before;
    });
    assert.ok(sent < megabytes, `${sent} bytes were taken from the server`);
    let received = 0;
    client.socket.removeAllListeners("data");
    client.socket.on("data", (chunk) => {
      received += chunk.length;
    });
    client.socket.resume();
    await until("the whole body", () => received > megabytes);
  });

  test("a server that does not read holds the client back, and a whole upload arrives intact", async (t) => {
    let received = 0;
    let socketOfServer: import("node:net").Socket | undefined;
    const raw = await startRawServer(t, (socket) => {
      socketOfServer = socket;
      socket.pause();
      socket.on("data", (chunk) => {
        received += chunk.length;
        if (chunk.toString("latin1").endsWith("END")) socket.write(response("got it"));
      });
    });
    const proxy = startProxy(t, `${FRONTEND}backend b\n  server s 127.0.0.1:${raw.port}\n`);
    const client = await Client.connect(t, proxy.port());
    const body = Buffer.alloc(megabytes, "y");
    body.write("END", megabytes - 3);
    client.socket.write(`POST / HTTP/1.1\r\nHost: x\r\nContent-Length: ${megabytes}\r\n\r\n`);
    client.socket.write(body);
    await until("the server is connected", () => socketOfServer !== undefined);
    let before = -1;
    await until("the client stops", async () => {
      const still = client.socket.bytesWritten > 0 && client.socket.writableLength === before;
      before = client.socket.writableLength;
      await new Promise((resolve) => setTimeout(resolve, 200));
      return still && client.socket.writableLength === before;
    });
    assert.ok(client.socket.writableLength > 0, "everything was taken from the client");
    socketOfServer?.resume();
    assert.equal(bodyOf(await client.response()), "got it");
    assert.ok(received > megabytes);
  });
});

test("bodies of many slow clients at once arrive each with its own bytes in order", async (t) => {
  const size = 16_000_000;
  // Every byte depends on the client and on its place, with a period that fits no buffer.
  const pattern = (client: number) => {
    const bytes = Buffer.alloc(size);
    for (let i = 0; i < size; i++) bytes[i] = (i % 251) ^ (client * 37);
    return bytes;
  };
  const server = await startServer(t, ({ path, answer }) => {
    answer(`HTTP/1.1 200 OK\r\nContent-Length: ${size}\r\n\r\n`);
    answer(pattern(Number(path.slice(1))));
  });
  const proxy = await behind(t, server);
  const download = async (number: number) => {
    const client = await Client.connect(t, proxy.port());
    const chunks: Buffer[] = [];
    let length = 0;
    client.socket.removeAllListeners("data");
    client.socket.on("data", (chunk: Buffer) => {
      chunks.push(chunk);
      length += chunk.length;
      client.socket.pause();
      setTimeout(() => client.socket.resume(), 2);
    });
    client.socket.write(get(`/${number}`));
    await until("the body", () => length > size);
    const all = Buffer.concat(chunks);
    assert.ok(all.subarray(all.indexOf("\r\n\r\n") + 4).equals(pattern(number)), `client ${number}`);
  };
  await Promise.all(Array.from({ length: 4 }, (_, number) => download(number)));
});

describe("answers of the proxy itself", () => {
  test("monitor-uri answers without a server and without a log", async (t) => {
    const proxy = startProxy(
      t,
      `${FRONTEND}  monitor-uri /alive\n  option httplog\n  log 127.0.0.1 local0\nbackend b\n`,
    );
    const client = await Client.connect(t, proxy.port());
    assert.equal(
      await client.ask(get("/alive")),
      "HTTP/1.1 200 OK\r\ncontent-length: 58\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n\r\n" +
        "<html><body><h1>200 OK</h1>\nService ready.\n</body></html>\n",
    );
    assert.match(await client.ask(get("/alive?")), /^HTTP\/1\.1 503 /);
    assert.equal(proxy.logs.length, 1);
  });

  test("an error after which the request is complete leaves the client's connection open", async (t) => {
    const proxy = startProxy(t, `${FRONTEND}backend b\n`);
    const client = await Client.connect(t, proxy.port());
    const page =
      "HTTP/1.1 503 Service Unavailable\r\ncontent-length: 107\r\ncache-control: no-cache\r\ncontent-type: text/html\r\n\r\n" +
      "<html><body><h1>503 Service Unavailable</h1>\nNo server is available to handle this request.\n</body></html>\n";
    assert.equal(await client.ask(get()), page);
    assert.equal(await client.ask("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc"), page);
    client.socket.write("POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 30\r\n\r\nabc");
    assert.match(await client.rest(), /^HTTP\/1\.1 503 .*\r\nconnection: close\r\n/s);
  });

  test("no descriptor is left when clients, servers and requests have come and gone", async (t) => {
    const server = await startServer(t, named("s"));
    const proxy = await behind(t, server);
    await once(t, proxy.port());
    const clients = await Promise.all(Array.from({ length: 20 }, () => Client.connect(t, proxy.port())));
    for (const client of clients) await client.ask(get());
    const before = openDescriptors();
    for (const client of clients) client.socket.destroy();
    await until("the connections are gone", () => !proxy.engine.hasWork());
    assert.ok(openDescriptors() <= before - 2 * clients.length);
  });
});
