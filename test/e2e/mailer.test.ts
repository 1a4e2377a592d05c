/** Mail of `smtp_alert` over a real connection: beside what keepalived 2.2.7 sent, and with relays that misbehave. */

import assert from "node:assert/strict";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { milliseconds, seconds } from "../../src/base/time.ts";
import type { MailSettings } from "../../src/config/model/mail.ts";
import { Mailer } from "../../src/daemon/mail/mailer.ts";

const SETTINGS: Omit<MailSettings, "server"> = {
  to: ["ops@example.net", "Second Person <two@example.net>"],
  from: "keepalived@lb.example.net",
  connectTimeout: seconds(20),
  heloName: "lb.example.net",
  routerId: "EK1",
};
const DOWN = {
  subject: "Realserver [10.0.1.1]:tcp:80 of virtual server [10.0.0.10]:tcp:80 - DOWN",
  text: "=> TCP CHECK failed on service <=",
};

async function listening(t: TestContext, serve: (socket: Socket) => void): Promise<MailSettings["server"]> {
  const sockets: Socket[] = [];
  const server: Server = createServer((socket) => {
    sockets.push(socket);
    socket.on("error", () => undefined);
    serve(socket);
  });
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { host: "127.0.0.1", port: (server.address() as AddressInfo).port };
}

/** Takes every mail; what the client said, a transaction each. */
async function relay(t: TestContext): Promise<{ server: MailSettings["server"]; heard: string[] }> {
  const heard: string[] = [];
  const server = await listening(t, (socket) => {
    let [said, at, inData] = ["", 0, false];
    socket.write("220 relay\r\n");
    socket.on("data", (bytes) => {
      said += bytes;
      for (let end = said.indexOf("\r\n", at); end >= 0; end = said.indexOf("\r\n", at)) {
        const line = said.slice(at, end);
        at = end + 2;
        if (inData && line !== ".") continue;
        inData = line === "DATA";
        socket.write(inData ? "354 go on\r\n" : line === "QUIT" ? "221 bye\r\n" : "250 ok\r\n");
        if (line === ".") heard.push(said);
      }
    });
  });
  return { server, heard };
}

function mailer(t: TestContext, settings: MailSettings): { mailer: Mailer; lines: string[] } {
  const lines: string[] = [];
  const made = new Mailer({ write: (level, text) => lines.push(`${level} ${text}`) });
  made.configure(settings);
  t.after(() => made.close());
  return { mailer: made, lines };
}

const parts = (transaction: string) => {
  const [, message = ""] = transaction.split("DATA\r\n");
  const [head = "", body = ""] = message.split(/\r\n\r\n(.*)/s);
  const headers = new Map(
    head
      .replaceAll(/\r\n[ \t]+/g, " ")
      .split("\r\n")
      .map((line) => line.split(/: (.*)/s) as [string, string]),
  );
  return { headers, body };
};

test("says in headers and body what keepalived says", async (t) => {
  const { server, heard } = await relay(t);
  const { mailer: sender, lines } = mailer(t, { ...SETTINGS, server });
  sender.send(DOWN);
  await sender.idle();
  assert.equal(heard.length, 1);
  const ours = parts(heard[0] ?? "");
  const theirs = parts(readFileSync(new URL("../fixtures/health/keepalived-alert.smtp", import.meta.url), "utf8"));
  for (const name of ["From", "Subject", "X-Mailer", "To"])
    assert.equal(ours.headers.get(name), theirs.headers.get(name), name);
  assert.equal(ours.body, theirs.body.replace("QUIT\r\n", ""));
  assert.match(heard[0] ?? "", /^EHLO lb\.example\.net\r\nMAIL FROM:<keepalived@lb\.example\.net>/);
  assert.match(heard[0] ?? "", /RCPT TO:<ops@example\.net>\r\nRCPT TO:<two@example\.net>\r\n/);
  assert.deepEqual(lines, [
    `info Remote SMTP server [127.0.0.1]:${server.port} connected.`,
    "info SMTP alert successfully sent.",
  ]);
});

test("lets nothing in a subject become a header, and no line end the message", async (t) => {
  const { server, heard } = await relay(t);
  const { mailer: sender } = mailer(t, { ...SETTINGS, server });
  sender.send({ subject: "a\r\nBcc: victim@example.net", text: "one\r\n.\r\nRCPT TO:<victim@example.net>" });
  await sender.idle();
  assert.equal(heard.length, 1);
  const { headers, body } = parts(heard[0] ?? "");
  assert.equal(headers.has("Bcc"), false);
  assert.match(body, /\r\n\.\.\r\n/);
});

test("sends one after the other in order, and goes on after one that a relay refuses", async (t) => {
  let count = 0;
  const refused = await listening(t, (socket) => {
    count++;
    socket.end("554 not you\r\ninjected\x1b[31m line\r\n");
  });
  const { mailer: sender, lines } = mailer(t, { ...SETTINGS, server: refused });
  sender.send(DOWN);
  await sender.idle();
  assert.equal(count, 1);
  assert.match(lines[1] ?? "", /^err SMTP alert to \[127\.0\.0\.1\]:\d+ failed: .*not you.*; its subject: Realserver/);
  assert.doesNotMatch(lines.join(""), /\p{Cc}/u);
  const { server, heard } = await relay(t);
  sender.configure({ ...SETTINGS, server });
  for (const subject of ["first", "second", "third"]) sender.send({ subject, text: "" });
  await sender.idle();
  assert.deepEqual(
    heard.map((one) => parts(one).headers.get("Subject")),
    ["[EK1] first", "[EK1] second", "[EK1] third"],
  );
});

test("leaves a relay that always has something to say and never comes to an end", async (t) => {
  const talker = await listening(t, (socket) => {
    socket.write("220 relay\r\n");
    const timer = setInterval(() => socket.write("250-more to come\r\n"), 10);
    socket.on("close", () => clearInterval(timer));
  });
  const { mailer: sender, lines } = mailer(t, { ...SETTINGS, server: talker, connectTimeout: milliseconds(250) });
  sender.send(DOWN);
  await sender.idle();
  assert.match(lines.at(-1) ?? "", /^err SMTP alert to .* failed: /);
});

test("leaves a relay that is silent, one that is closed, and keeps no more than it should", async (t) => {
  const silent = await listening(t, () => undefined);
  const { mailer: sender, lines } = mailer(t, { ...SETTINGS, server: silent, connectTimeout: milliseconds(50) });
  sender.send(DOWN);
  await sender.idle();
  assert.match(lines.at(-1) ?? "", /failed: /);
  sender.configure({ ...SETTINGS, server: { host: "127.0.0.1", port: 1 } });
  sender.send(DOWN);
  await sender.idle();
  assert.match(lines.at(-1) ?? "", /failed: .*ECONNREFUSED/);
  lines.length = 0;
  for (let i = 0; i < 150; i++) sender.send({ subject: `${i}`, text: "" });
  assert.equal(lines.filter((line) => line.startsWith("err SMTP alert dropped, 100 wait already: ")).length, 49);
  sender.close();
  await sender.idle();
});
