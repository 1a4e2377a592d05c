import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import {
  type Attribute,
  attributeText,
  buildAttributes,
  buildNetlink,
  NLM_F_ACK,
  NLM_F_CREATE,
  NLM_F_REPLACE,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  parseAttributes,
  parseNetlink,
  textAttribute,
} from "../../../src/wire/netlink.ts";
import { buildAck, parseAck } from "../../../src/wire/netlink-ack.ts";

const hex = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text.replaceAll(/\s/g, ""), "hex"));

const anyMessage = fc
  .tuple(fc.nat(0xffff), fc.nat(0xffff), fc.nat(0xffff_ffff), fc.nat(0xffff_ffff), fc.uint8Array({ maxLength: 40 }))
  .map(([type, flags, sequence, port, payload]) => ({ type, flags, sequence, port, payload }));
const anyAttribute: fc.Arbitrary<Attribute> = fc
  .tuple(fc.nat(0x3fff), fc.uint8Array({ maxLength: 20 }))
  .map(([type, value]) => ({ type, value }));

const request = {
  type: 20,
  flags: NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE,
  sequence: 0x01020304,
  port: 0,
  payload: hex("02180000 02000000"),
};
const requestBytes = hex("18000000 1400 0505 04030201 00000000 02180000 02000000");

test("a message is its length, type, flags, sequence and port in host order, then the payload", () => {
  assert.deepEqual(buildNetlink(request), requestBytes);
  assert.deepEqual(parseNetlink(requestBytes), { messages: [request], problem: undefined });
});

test("several messages in one datagram are taken apart, whatever they hold", () => {
  fc.assert(
    fc.property(fc.array(anyMessage, { maxLength: 5 }), (messages) => {
      const bytes = new Uint8Array(Buffer.concat(messages.map(buildNetlink)));
      assert.deepEqual(parseNetlink(bytes), { messages, problem: undefined });
    }),
  );
});

test("the last message of a datagram need not be padded", () => {
  const bytes = hex("11000000 0300 0200 01000000 02000000 aa");
  const [message] = parseNetlink(bytes).messages;
  assert.deepEqual(message?.payload, hex("aa"));
});

test("a datagram cut anywhere yields the whole messages before the cut and says that it is cut", () => {
  const whole = new Uint8Array([...requestBytes, ...requestBytes]);
  for (let length = 0; length < whole.length; length++) {
    const { messages, problem } = parseNetlink(whole.subarray(0, length));
    assert.equal(messages.length, Math.floor(length / requestBytes.length));
    assert.equal(problem, length % requestBytes.length === 0 ? undefined : "truncated");
  }
});

test("a length below the header's own is a problem and no endless loop", () => {
  for (const length of [0, 1, 15]) {
    const bytes = Uint8Array.from(requestBytes);
    bytes[0] = length;
    assert.deepEqual(parseNetlink(bytes), { messages: [], problem: "bad-length" });
  }
});

test("any bytes at all are parsed without an exception", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      for (const message of parseNetlink(bytes).messages) parseAck(message);
      parseAttributes(bytes);
    }),
  );
});

test("an attribute is its length, its type and a value padded to four", () => {
  const bytes = hex("0900 0300 6574683000 000000 0800 0400 dc050000");
  const attributes = [textAttribute(3, "eth0"), { type: 4, value: hex("dc050000") }];
  assert.deepEqual(buildAttributes(attributes), bytes);
  assert.deepEqual(parseAttributes(bytes), attributes);
});

test("attributes come back as they were built", () => {
  fc.assert(
    fc.property(fc.array(anyAttribute, { maxLength: 8 }), (attributes) => {
      assert.deepEqual(parseAttributes(buildAttributes(attributes)), attributes);
    }),
  );
});

test("the flags in an attribute's type are not part of its number", () => {
  assert.deepEqual(parseAttributes(hex("0400 1280 0400 1240")), [
    { type: 0x12, value: hex("") },
    { type: 0x12, value: hex("") },
  ]);
});

test("an attribute that claims less than its header or more than there is makes the list unreadable", () => {
  for (const bytes of ["0300 0300", "0000 0000 0400 0100", "0900 0300 65746830", "ffff 0100 00000000"]) {
    assert.equal(parseAttributes(hex(bytes)), undefined, bytes);
  }
});

test("text ends at the first NUL, or at the end", () => {
  assert.equal(attributeText(hex("6c6f00ff")), "lo");
  assert.equal(attributeText(hex("6c6f")), "lo");
});

test("an error number of zero acknowledges", () => {
  const bytes = hex("24000000 0200 0001 04030201 07000000 00000000 18000000 1400 0505 04030201 00000000");
  const [message] = parseNetlink(bytes).messages;
  assert.ok(message);
  assert.deepEqual(parseAck(message), { errno: 0, text: undefined, offset: undefined });
});

test("a refusal brings its number, the kernel's words and where in the request", () => {
  const ack = { errno: 22, text: "ipv4: Invalid prefix length", offset: 36 };
  const answer = buildAck(ack, request);
  assert.deepEqual(answer.payload.subarray(0, 4), hex("eaffffff"));
  assert.deepEqual(parseAck(answer), ack);
  assert.deepEqual(parseNetlink(buildNetlink(answer)).messages, [answer]);
});

test("a refusal without NETLINK_CAP_ACK carries the request before its attributes", () => {
  const payload = new Uint8Array([...hex("edffffff"), ...requestBytes, ...buildAttributes([textAttribute(1, "no")])]);
  const ack = parseAck({ type: NLMSG_ERROR, flags: 0x200, sequence: 1, port: 0, payload });
  assert.deepEqual(ack, { errno: 19, text: "no", offset: undefined });
});

test("the end of a dump may carry an error", () => {
  const done = { type: NLMSG_DONE, flags: 2, sequence: 1, port: 0 };
  assert.equal(parseAck({ ...done, payload: hex("00000000") })?.errno, 0);
  assert.equal(parseAck({ ...done, payload: hex("f0ffffff") })?.errno, 16);
});

test("a message of another type, or too short for a number, is no answer", () => {
  assert.equal(parseAck(request), undefined);
  assert.equal(parseAck({ ...request, type: NLMSG_ERROR, payload: hex("eaffff") }), undefined);
});

test("an answer's attributes that lie outside it are as good as none", () => {
  fc.assert(
    fc.property(
      fc.uint8Array({ minLength: 4, maxLength: 64 }),
      fc.integer({ min: 0, max: 0xffff }),
      (payload, flags) => {
        for (const type of [NLMSG_ERROR, NLMSG_DONE]) {
          assert.ok(parseAck({ type, flags, sequence: 0, port: 0, payload }));
        }
      },
    ),
  );
});
