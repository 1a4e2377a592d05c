/** A watched socket that is read before the main loop gets to it. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { addon, constants } from "../../../src/sys/addon.ts";
import { WatchedSocket } from "../../../src/sys/receive.ts";
import { until } from "../../support/until.ts";

function pair(onText: (text: string, socket: WatchedSocket) => void): { far: number; socket: WatchedSocket } {
  const [near, far] = addon.socketpair(constants.AF_UNIX, constants.SOCK_SEQPACKET, 0);
  const socket: WatchedSocket = new WatchedSocket(
    near,
    "a pair",
    { slotBytes: 100, slots: 2 },
    {
      onReceived: (received) => {
        for (const { bytes } of received) onText(new TextDecoder().decode(bytes), socket);
      },
      onError: (error) => assert.fail(error.message),
    },
  );
  return { far, socket };
}

const say = (far: number, text: string) => addon.send(far, new TextEncoder().encode(text));

test("what waits is handed on within the call, in order, and not again by the main loop", async () => {
  const texts: string[] = [];
  const { far, socket } = pair((text) => texts.push(text));
  for (const text of ["one", "two", "three", "four", "five"]) say(far, text);
  assert.deepEqual(texts, []);
  socket.readNow();
  assert.deepEqual(texts, ["one", "two", "three", "four", "five"]);
  say(far, "six");
  await until("the main loop reads on", () => texts.length > 5);
  assert.deepEqual(texts.slice(5), ["six"]);
  socket.close();
  addon.close(far);
});

test("a handler may close the socket, and nothing is read after that", () => {
  const texts: string[] = [];
  const { far, socket } = pair((text, own) => {
    texts.push(text);
    own.close();
  });
  for (const text of ["one", "two", "three"]) say(far, text);
  socket.readNow();
  // The two that had been received together are handed on together.
  assert.deepEqual(texts, ["one", "two"]);
  socket.readNow();
  assert.deepEqual(texts, ["one", "two"]);
  addon.close(far);
});

test("a flood does not keep it for ever", () => {
  let count = 0;
  const { far, socket } = pair(() => {
    count += 1;
    say(far, "again");
  });
  say(far, "first");
  socket.readNow();
  assert.ok(count > 1 && count < 1_000, String(count));
  socket.close();
  addon.close(far);
});
