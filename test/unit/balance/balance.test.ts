import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Algorithm, Balancer } from "../../../src/balance/balancer.ts";
import type { Candidate } from "../../../src/balance/rotation.ts";

interface TestServer extends Candidate {
  weight: number;
  served: number;
  maxconn: number;
}

function servers(weights: readonly number[], backups = 0): TestServer[] {
  return weights.map((weight, index) => ({
    id: index + 1,
    backup: index >= weights.length - backups,
    weight,
    maxconn: 0,
    served: 0,
    queued: 0,
  }));
}

function balancerOf(algorithm: Algorithm, list: readonly TestServer[], allBackups = false): Balancer<TestServer> {
  const balancer = new Balancer<TestServer>(algorithm, allBackups);
  for (const server of list) balancer.update(server, true);
  return balancer;
}

/** Each request ends before the next one begins. */
function sequence(balancer: Balancer<TestServer>, count: number): string {
  return Array.from({ length: count }, () => {
    const server = balancer.choose();
    if (server === undefined) return "-";
    server.served++;
    balancer.loadChanged(server);
    server.served--;
    balancer.loadChanged(server);
    return server.id;
  }).join(" ");
}

const golden = readFileSync(new URL("../../fixtures/haproxy/balance.txt", import.meta.url), "utf8");

describe("the order in which servers are chosen is HAProxy 2.6's", () => {
  let rows = 0;
  for (const line of golden.split("\n")) {
    const [name = "", newer = "", older = ""] = line.split("|").map((part) => part.trim());
    const match = /^(rr|static-rr|leastconn|first) (?:w?([\d,]+)|no maxconn)( idle)?$/.exec(name);
    if (match === null) continue;
    rows++;
    const algorithm = match[1] === "rr" ? "roundrobin" : (match[1] as Algorithm);
    const weights = (match[2] ?? "1,1,1").split(",").map(Number);
    const expected = older === "same" ? newer : older;
    test(name, () => {
      const balancer = balancerOf(algorithm, servers(weights));
      assert.equal(sequence(balancer, expected.split(" ").length), expected);
    });
  }
  test("all nine golden rows of these algorithms were replayed", () => assert.equal(rows, 9));

  test("weights 10, 25 and 15 give two, five and three of ten requests", () => {
    const order = sequence(balancerOf("roundrobin", servers([10, 25, 15])), 10).split(" ");
    assert.deepEqual(
      ["1", "2", "3"].map((id) => order.filter((chosen) => chosen === id).length),
      [2, 5, 3],
    );
  });
});

describe("the usable set", () => {
  test("backups take load only when no active server is usable, and then only the first", () => {
    const list = servers([1, 1, 1, 1], 2);
    const [first, second, third] = list as [TestServer, TestServer, TestServer, TestServer];
    const balancer = balancerOf("roundrobin", list);
    assert.equal(sequence(balancer, 4), "1 2 1 2");
    balancer.update(first, false);
    assert.equal(sequence(balancer, 2), "2 2");
    balancer.update(second, false);
    assert.equal(sequence(balancer, 3), "3 3 3");
    assert.ok(balancer.takesLoad(third));
    balancer.update(third, false);
    assert.equal(sequence(balancer, 2), "4 4");
    balancer.update(first, true);
    assert.equal(sequence(balancer, 2), "1 1");
  });

  test("with allbackups every usable backup takes its share", () => {
    const list = servers([1, 1, 1], 2);
    const balancer = balancerOf("roundrobin", list, true);
    balancer.update(list[0] as TestServer, false);
    assert.equal(sequence(balancer, 4), "2 3 2 3");
  });

  test("a server of weight 0 takes no balanced load and joins again when it gets a weight", () => {
    const list = servers([1, 0]);
    const balancer = balancerOf("roundrobin", list);
    assert.equal(sequence(balancer, 3), "1 1 1");
    (list[1] as TestServer).weight = 1;
    balancer.update(list[1] as TestServer, true);
    assert.deepEqual(sequence(balancer, 4).split(" ").sort().join(""), "1122");
  });

  test("nobody is chosen when nobody is usable", () => {
    const list = servers([1]);
    const balancer = balancerOf("leastconn", list);
    balancer.update(list[0] as TestServer, false);
    assert.equal(balancer.choose(), undefined);
    assert.equal(balancer.hasUsable, false);
  });
});

describe("passing servers over", () => {
  for (const algorithm of ["roundrobin", "static-rr", "leastconn", "first"] as const) {
    test(`${algorithm} avoids the previous server unless it is the only one`, () => {
      const list = servers([1, 1]);
      const balancer = balancerOf(algorithm, list);
      for (let turn = 0; turn < 5; turn++) assert.equal(balancer.choose(list[0])?.id, 2);
      balancer.update(list[1] as TestServer, false);
      assert.equal(balancer.choose(list[0])?.id, 1);
    });

    test(`${algorithm} skips a server that has reached its maxconn, and chooses nobody when all have`, () => {
      const list = servers([1, 1]);
      const [first, second] = list as [TestServer, TestServer];
      const balancer = balancerOf(algorithm, list);
      first.maxconn = 1;
      first.served = 1;
      balancer.loadChanged(first);
      for (let turn = 0; turn < 3; turn++) assert.equal(balancer.choose()?.id, 2);
      second.maxconn = 1;
      second.served = 1;
      balancer.loadChanged(second);
      assert.equal(balancer.choose(), undefined);
      first.served = 0;
      balancer.loadChanged(first);
      assert.equal(balancer.choose()?.id, 1);
    });
  }
});

test("leastconn gives a heavier server proportionally more requests in hand", () => {
  const list = servers([1, 3]);
  const balancer = balancerOf("leastconn", list);
  for (let request = 0; request < 40; request++) {
    const server = balancer.choose() as TestServer;
    server.served++;
    balancer.loadChanged(server);
  }
  assert.deepEqual(
    list.map((server) => server.served),
    [10, 30],
  );
});

test("whatever happens to servers on the way, round robin only chooses usable ones, and shares by weight afterwards", () => {
  const change = fc.record({ server: fc.nat(4), up: fc.boolean(), weight: fc.nat(6), requests: fc.nat(9) });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 30 }), (changes) => {
      const list = servers([1, 2, 3, 4, 5]);
      const up = list.map(() => true);
      const balancer = balancerOf("roundrobin", list);
      for (const { server: index, up: isUp, weight, requests } of changes) {
        const server = list[index] as TestServer;
        server.weight = weight;
        up[index] = isUp;
        balancer.update(server, isUp);
        for (let request = 0; request < requests; request++) {
          const chosen = balancer.choose();
          const usable = list.filter((other, at) => up[at] && other.weight > 0);
          assert.equal(chosen === undefined, usable.length === 0);
          if (chosen !== undefined) assert.ok(usable.includes(chosen));
        }
      }
      const usable = list.filter((server, index) => up[index] && server.weight > 0);
      const total = usable.reduce((sum, server) => sum + server.weight, 0);
      // The rotation under way may be one of all servers at their heaviest: 16 turns a unit of weight. It and the next end.
      for (let settle = 0; settle < 2 * 16 * 5 * 6; settle++) balancer.choose();
      const counts = new Map<TestServer, number>();
      for (let request = 0; request < 20 * total; request++) {
        const chosen = balancer.choose() as TestServer;
        counts.set(chosen, (counts.get(chosen) ?? 0) + 1);
      }
      for (const server of usable) {
        assert.ok(Math.abs((counts.get(server) ?? 0) - 20 * server.weight) <= 2, `server ${server.id}`);
      }
    }),
    { numRuns: 100 },
  );
});
