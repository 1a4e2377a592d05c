/** The mistakes that people make most, by name; test/fixtures/ipvsadm/ has the same from the real ipvsadm, among a thousand. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { capturedSections } from "../../support/ipvsadm-captures.ts";
import { machine } from "../../support/ipvsadm-run.ts";

const REAL = new Map(capturedSections().flatMap(({ cases }) => cases.map((one) => [one.command, one] as const)));

/** Ours, after `before`; it must be what the real one said, where it was asked the same. */
async function answers(command: string, ...before: string[]): Promise<readonly [exit: number, stderr: string]> {
  const { run } = machine();
  for (const each of before) assert.equal((await run(each.split(" "))).exit, 0, each);
  const { exit, stderr, stdout } = await run(command.split(" "));
  assert.equal(stdout, "");
  const real = REAL.get(command);
  assert.ok(real !== undefined, `the real ipvsadm was not asked ${command}`);
  assert.deepEqual([exit, stderr], [real.exit, real.stderr ?? ""]);
  return [exit, stderr];
}

const SERVICE = "-A -t 10.0.0.1:80 -s wlc";

test("a service that is there already is refused", async () => {
  assert.deepEqual(await answers("-A -t 10.0.0.1:80 -s rr", SERVICE), [255, "Service already exists\n"]);
});

test("so is a server that is there already", async () => {
  const add = "-a -t 10.0.0.1:80 -r 192.168.0.1:8080 -m";
  assert.deepEqual(await answers(add, SERVICE, add), [255, "Destination already exists\n"]);
});

test("a weight of 65536 is taken, as ipvsadm's manual is stricter than ipvsadm; a negative one is not", async () => {
  assert.deepEqual(await answers("-a -t 10.0.0.1:80 -r 192.168.0.7:80 -m -w 65536", SERVICE), [0, ""]);
  assert.deepEqual(await answers("-a -t 10.0.0.1:80 -r 192.168.0.7:80 -m -w -1", SERVICE), [
    2,
    "illegal weight specified\n",
  ]);
});

test("an IPv6 server of an IPv4 service is refused, but for a tunnel", async () => {
  const refusal = [2, "Different address family is allowed only for tunneling servers\n"];
  for (const method of ["-m", "-g"]) {
    assert.deepEqual(await answers(`-a -t 10.0.0.1:80 -r [2001:db8::1]:80 ${method}`, SERVICE), refusal);
  }
  assert.deepEqual(await answers("-a -t 10.0.0.1:80 -r [2001:db8::1]:80 -i", SERVICE), [0, ""]);
});

test("a port that is none is refused", async () => {
  const refusal = [2, "illegal virtual server address[:port] specified\n"];
  assert.deepEqual(await answers("-A -t 10.0.0.16:65536"), refusal);
});

test("a virtual address that the machine does not have is taken, as by IPVS; the doctor tells of it", async () => {
  const command = [...REAL.keys()].find((one) => /^-A -t 10\.0\.0\.\d+:80$/.test(one) && REAL.get(one)?.exit === 0);
  assert.ok(command !== undefined);
  assert.deepEqual(await answers(command), [0, ""]);
});
