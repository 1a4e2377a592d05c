/** Process events as the kernel sends them (captured), and whatever else may come. */

import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { listenRequest, parseProcessEvent, processEventFilter } from "../../../src/wire/proc-connector.ts";

/** nlmsghdr and cn_msg, then what, cpu, time stamp and data. */
const datagram = (what: string, data: string): Uint8Array =>
  Uint8Array.fromHex(
    `4c0000000300000000000000000000000100000001000000000000000000000028000000${what}00000000${"00".repeat(8)}${data.padEnd(48, "0")}`,
  );

const CASES = [
  ["the answer to a request", "00000000", "", { type: "answer", errno: 0 }],
  ["a refusal", "00000000", "01000000", { type: "answer", errno: 1 }],
  ["a fork", "01000000", "ab300000ab300000d4300000d4300000", { type: "fork", parent: 0x30ab, child: 0x30d4 }],
  [
    "a fork by a thread",
    "01000000",
    "ac300000ab300000d4300000d4300000",
    { type: "fork", parent: 0x30ab, child: 0x30d4 },
  ],
  ["a new thread", "01000000", "ab300000ab300000d5300000ab300000", undefined],
  ["an exec", "02000000", "d4300000d4300000", { type: "exec", pid: 0x30d4 }],
  ["a name", "00020000", "d4300000d4300000736c65657000", { type: "name", pid: 0x30d4, name: "sleep" }],
  ["the name of a thread", "00020000", "d5300000d4300000736c65657000", undefined],
  ["an end", "00000080", "d4300000d430000000000000110000", { type: "exit", pid: 0x30d4 }],
  ["the end of a thread", "00000080", "d5300000d4300000", undefined],
  ["a change of user", "04000000", "d4300000d4300000", undefined],
] as const;

for (const [what, number, data, expected] of CASES) {
  test(`${what} is ${expected === undefined ? "passed over" : expected.type}`, () => {
    assert.deepEqual(parseProcessEvent(datagram(number, data)), expected);
  });
}

test("the filter lets through what is understood, and nothing else", () => {
  for (const [what, number, data, expected] of CASES) {
    assert.equal(run(datagram(number, data)), expected !== undefined, what);
  }
});

test("anything else is undefined, never an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 90 }), (bytes) => {
      parseProcessEvent(bytes);
    }),
  );
  assert.equal(parseProcessEvent(datagram("02000000", "d4300000d4300000").subarray(0, 60)), undefined);
});

test("a request is the one that the kernel answers", () => {
  assert.equal(
    listenRequest().toHex(),
    "28000000030000000000000000000000010000000100000000000000000000000400000001000000",
  );
});

/** Classic BPF, as far as the filter uses it: bpf(4) of the BSDs. */
function run(packet: Uint8Array): boolean {
  const program = processEventFilter();
  const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
  let [accumulator, index] = [0, 0];
  for (let at = 0; ; at++) {
    const [code, yes, no, value] = program[at] ?? [0x06, 0, 0, 0];
    if (code === 0x20) accumulator = view.getUint32(value, false);
    else if (code === 0x07) index = accumulator;
    else if (code === 0x15) at += accumulator === value ? yes : no;
    else if (code === 0x1d) at += accumulator === index ? yes : no;
    else return value > 0;
  }
}
