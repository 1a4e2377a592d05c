/** The machine of a virtual server, with a virtual clock. Sequences and lines are those of keepalived 2.2.7 over IPVS. */

import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";
import { type Instant, instantAt, seconds } from "../../../src/base/time.ts";
import type { Checker, VirtualServer } from "../../../src/config/model/virtual-server.ts";
import { fileResult, type ProbeResult } from "../../../src/health/checker.ts";
import {
  IDLE,
  nextDeadline,
  reconfigure,
  transition,
  type VirtualServerStep,
} from "../../../src/health/virtual-server.ts";
import type {
  PoolMember,
  VirtualServerInput,
  VirtualServerOutput,
  VirtualServerState,
} from "../../../src/health/virtual-server-messages.ts";
import {
  address,
  connection,
  realServer,
  SCHEDULE,
  SETTINGS,
  script,
  tcpCheck,
  virtualServer,
} from "../../support/virtual-servers.ts";

const OK: ProbeResult = { ok: true, detail: "connected" };
const REFUSED: ProbeResult = { ok: false, detail: "connection refused", line: undefined };

/** Drives one machine; keeps everything that came out, and applies the plane changes to a list. */
class Rig {
  parameters: VirtualServer;
  state: VirtualServerState = IDLE;
  now = 0;
  outputs: VirtualServerOutput[] = [];
  /** When each probe was made, seconds. */
  probes: string[] = [];
  pool: PoolMember[] = [];
  /** What a server answers. */
  readonly answers = new Map<string, ProbeResult>();

  constructor(parameters: VirtualServer) {
    this.parameters = parameters;
  }

  start(present?: readonly PoolMember[]): this {
    this.pool = [...(present ?? [])];
    return this.give({ type: "start", present, random: 0 });
  }

  give(input: VirtualServerInput): this {
    return this.#take(transition(this.parameters, this.state, input, this.instant));
  }

  reload(next: VirtualServer): this {
    const step = reconfigure(this.parameters, this.state, next, 0, this.instant);
    this.parameters = next;
    return this.#take(step);
  }

  /** Lets the time pass; probes are answered at once. */
  until(second: number): this {
    for (;;) {
      const deadline = nextDeadline(this.state);
      if (deadline === undefined || deadline > second * 1e6) break;
      this.now = deadline;
      this.give({ type: "timer" });
    }
    this.now = second * 1e6;
    return this;
  }

  answer(server: number, result: ProbeResult): this {
    this.answers.set(`${server}`, result);
    return this;
  }

  /** What came out since the last time. */
  take(...types: VirtualServerOutput["type"][]): VirtualServerOutput[] {
    const taken = this.outputs;
    this.outputs = [];
    return types.length === 0 ? taken : taken.filter(({ type }) => types.includes(type));
  }

  lines(): string[] {
    return this.take("log", "notify", "fifo", "add-server", "edit-server", "delete-server", "replace-servers").map(
      shown,
    );
  }

  get members(): string[] {
    return this.pool.map(({ key, settings }) => `${key.address} ${settings.weight}`);
  }

  get instant(): Instant {
    return instantAt(this.now);
  }

  #take({ state, outputs }: VirtualServerStep): this {
    this.state = JSON.parse(JSON.stringify(state));
    this.outputs.push(...outputs);
    for (const output of outputs) {
      this.#apply(output);
      if (output.type !== "probe") continue;
      const { server, checker } = output;
      this.probes.push(`${this.now / 1e6} ${server}.${checker}/${output.step}`);
      const result = this.answers.get(`${server}.${checker}`) ?? this.answers.get(`${server}`) ?? OK;
      this.give({ type: "result", server, checker, result });
    }
    return this;
  }

  #apply(output: VirtualServerOutput): void {
    const index = (key: PoolMember["key"]) => this.pool.findIndex((one) => one.key.address === key.address);
    if (output.type === "replace-servers") this.pool = [...output.members];
    else if (output.type === "add-server") {
      assert.equal(index(output.member.key), -1);
      this.pool.unshift(output.member);
    } else if (output.type === "edit-server") {
      assert.notEqual(index(output.member.key), -1);
      this.pool[index(output.member.key)] = output.member;
    } else if (output.type === "delete-server") {
      assert.notEqual(index(output.key), -1);
      this.pool.splice(index(output.key), 1);
    } else if (output.type === "delete-services") this.pool = [];
  }
}

function shown(output: VirtualServerOutput): string {
  switch (output.type) {
    case "log":
      return output.line;
    case "notify":
      return `run ${output.commands.map(({ argv }) => argv.join(" ")).join(", ")}`;
    case "fifo":
      return `fifo ${output.line}`;
    case "add-server":
      return `+ ${output.member.key.address} ${output.member.settings.weight}`;
    case "edit-server":
      return `= ${output.member.key.address} ${output.member.settings.weight}`;
    case "delete-server":
      return `- ${output.key.address}`;
    case "replace-servers":
      return `all ${output.members.map(({ key, settings }) => `${key.address} ${settings.weight}`).join(", ")}`;
    default:
      return output.type;
  }
}

const member = (ip: string, weight = 1): PoolMember => ({
  key: { address: address(ip), port: 80 },
  settings: { ...SETTINGS, weight },
});
const two = (changed: Partial<VirtualServer> = {}) =>
  virtualServer([realServer("10.1.0.1"), realServer("10.1.0.2")], changed);
const SORRY = { key: { address: address("10.1.0.9"), port: 80 }, settings: SETTINGS, inhibit: false };

describe("a real server with one TCP_CHECK", () => {
  test("is in service from the start and leaves after retry + 1 failures delay_before_retry apart", () => {
    const rig = new Rig(virtualServer([realServer("10.1.0.1", { checkers: [tcpCheck("10.1.0.1", { retry: 2 })] })]));
    rig.start();
    assert.deepEqual(rig.members, ["10.1.0.1 1"]);
    rig.until(2).answer(0, REFUSED).take();
    rig.until(8);
    assert.deepEqual(rig.probes.slice(0, 4), ["1 0.0/0", "4 0.0/0", "5 0.0/0", "6 0.0/0"]);
    assert.deepEqual(rig.lines(), [
      "TCP_CHECK on service [10.1.0.1]:tcp:80 failed after 2 retries.",
      "Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
      "- 10.1.0.1",
      "fifo RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN",
      "Lost quorum 1-0=1 > 0 for VS [10.0.0.1]:tcp:80",
      "fifo VS [10.0.0.1]:tcp:80 DOWN",
    ]);
  });

  test("leaves at the first failure when it was down at the start", () => {
    const rig = new Rig(two()).answer(0, REFUSED).start().until(1.9);
    assert.deepEqual(rig.members, ["10.1.0.2 1"]);
    assert.ok(rig.lines().includes("TCP_CHECK on service [10.1.0.1]:tcp:80 failed."));
  });

  test("is asked in the rhythm of delay_loop and retries while it is down, and comes back with the first success", () => {
    const rig = new Rig(virtualServer([realServer("10.1.0.1")])).answer(0, REFUSED).start().until(8.5);
    assert.deepEqual(rig.probes, ["1 0.0/0", "4 0.0/0", "5 0.0/0", "8 0.0/0"]);
    rig.answer(0, OK).take();
    rig.until(9.5);
    assert.deepEqual(rig.lines(), [
      "TCP connection to [10.1.0.1]:tcp:80 success.",
      "Adding service [10.1.0.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
      "+ 10.1.0.1 1",
      "fifo RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 UP",
      "Gained quorum 1+0=1 <= 1 for VS [10.0.0.1]:tcp:80",
      "fifo VS [10.0.0.1]:tcp:80 UP",
    ]);
  });

  test("says its first success once, without running notify_up", () => {
    const rig = new Rig(virtualServer([realServer("10.1.0.1", { notifyUp: script("up") })])).start();
    rig.take();
    rig.until(20);
    assert.deepEqual(rig.lines(), ["TCP connection to [10.1.0.1]:tcp:80 success."]);
  });

  test("starts down with alpha, and the first success runs notify_up", () => {
    const checkers = [tcpCheck("10.1.0.1", { alpha: true })];
    const rig = new Rig(virtualServer([realServer("10.1.0.1", { checkers, notifyUp: script("up") })], { alpha: true }));
    rig.start();
    assert.deepEqual(rig.members, []);
    rig.until(2);
    assert.deepEqual(rig.members, ["10.1.0.1 1"]);
    assert.ok(rig.lines().includes("run up"));
  });

  test("stays with weight 0 with inhibit_on_failure", () => {
    const rig = new Rig(virtualServer([realServer("10.1.0.1", { inhibitOnFailure: true }), realServer("10.1.0.2")]));
    rig.start().answer(0, REFUSED).until(1.5);
    assert.deepEqual(rig.members, ["10.1.0.2 1", "10.1.0.1 0"]);
    assert.ok(rig.lines().includes("Disabling service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80"));
  });
});

describe("a real server with several checkers", () => {
  const checkers = [tcpCheck("10.1.0.1"), tcpCheck("10.1.0.1", {}, 81)];

  test("is up when none has failed", () => {
    const rig = new Rig(two({ realServers: [realServer("10.1.0.1", { checkers }), realServer("10.1.0.2")] }));
    rig.answers.set("0.0", REFUSED);
    rig.answers.set("0.1", REFUSED);
    rig.start().until(3);
    assert.deepEqual(rig.members, ["10.1.0.2 1"]);
    rig.answers.set("0.0", OK);
    rig.until(12);
    assert.deepEqual(rig.members, ["10.1.0.2 1"]);
    rig.answers.set("0.1", OK);
    rig.until(24);
    assert.deepEqual(rig.members, ["10.1.0.1 1", "10.1.0.2 1"]);
  });
});

describe("HTTP_GET", () => {
  const url = (path: string) => ({
    path,
    host: "h",
    statusCodes: [{ first: 200, last: 299 }],
    digest: undefined,
    regex: undefined,
  });
  const http = (fastRecovery = false) =>
    virtualServer([
      realServer("10.1.0.1", {
        checkers: [
          {
            ...SCHEDULE,
            type: "HTTP_GET",
            connection: connection("10.1.0.1"),
            httpVersion: "1.0",
            fastRecovery,
            urls: [url("/a"), url("/b")],
            tls: undefined,
          },
        ],
      }),
    ]);

  test("asks one URL each delay_loop and says its success after the last", () => {
    const rig = new Rig(http()).start();
    rig.take();
    rig.until(3);
    assert.deepEqual(rig.lines(), []);
    rig.until(8);
    assert.deepEqual(rig.probes, ["1 0.0/0", "4 0.0/1", "7 0.0/0"]);
    assert.deepEqual(rig.lines(), ["Remote Web server [10.1.0.1]:tcp:80 succeed on service."]);
  });

  test("stays with the URL that failed, and asks each delay_loop while it is down", () => {
    const rig = new Rig(http()).start().until(5).answer(0, REFUSED).until(15);
    assert.deepEqual(rig.probes.slice(2), ["7 0.0/0", "8 0.0/0", "11 0.0/0", "14 0.0/0"]);
    assert.ok(rig.lines().includes("HTTP_CHECK on service [10.1.0.1]:tcp:80 failed after 1 retries."));
  });

  test("asks the URLs one right after the other with fast_recovery while it is down", () => {
    const rig = new Rig(http(true)).answer(0, REFUSED).start().until(2).answer(0, OK).until(5);
    assert.deepEqual(rig.probes, ["1 0.0/0", "4 0.0/0", "4 0.0/1"]);
    assert.deepEqual(rig.members, ["10.1.0.1 1"]);
  });
});

describe("the quorum", () => {
  const scripts = { quorumUp: script("quorum_up"), quorumDown: script("quorum_down") };
  const server = (ip: string) =>
    realServer(ip, { notifyUp: script(`up ${ip}`), notifyDown: script(`down ${ip}`), checkers: [tcpCheck(ip)] });

  test("is gained at the start, with its script", () => {
    const rig = new Rig(two({ quorum: 2, ...scripts })).start();
    assert.deepEqual(rig.lines(), [
      "Gained quorum 2+0=2 <= 2 for VS [10.0.0.1]:tcp:80",
      "all 10.1.0.2 1, 10.1.0.1 1",
      "run quorum_up",
      "fifo VS [10.0.0.1]:tcp:80 UP",
    ]);
  });

  test("brings in the sorry server in one step with the server that left, and takes it out in one step", () => {
    const rig = new Rig(
      virtualServer([server("10.1.0.1"), server("10.1.0.2")], { quorum: 2, sorryServer: SORRY, ...scripts }),
    );
    rig.start().until(2).answer(0, REFUSED).take();
    rig.until(5.1);
    assert.deepEqual(rig.lines(), [
      "TCP_CHECK on service [10.1.0.1]:tcp:80 failed after 1 retries.",
      "Removing service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
      "all 10.1.0.9 1",
      "run down 10.1.0.1",
      "fifo RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN",
      "Lost quorum 2-0=2 > 1 for VS [10.0.0.1]:tcp:80",
      "Adding sorry server [10.1.0.9]:tcp:80 to VS [10.0.0.1]:tcp:80",
      "Removing alive servers from the pool for VS [10.0.0.1]:tcp:80",
      "run quorum_down",
      "fifo VS [10.0.0.1]:tcp:80 DOWN",
    ]);
    rig.answer(0, OK).until(8.1);
    assert.deepEqual(rig.lines(), [
      "TCP connection to [10.1.0.1]:tcp:80 success.",
      "Adding service [10.1.0.1]:tcp:80 to VS [10.0.0.1]:tcp:80",
      "all 10.1.0.2 1, 10.1.0.1 1",
      "run up 10.1.0.1",
      "fifo RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 UP",
      "Gained quorum 2+0=2 <= 2 for VS [10.0.0.1]:tcp:80",
      "Removing sorry server [10.1.0.9]:tcp:80 from VS [10.0.0.1]:tcp:80",
      "Adding alive servers to the pool for VS [10.0.0.1]:tcp:80",
      "run quorum_up",
      "fifo VS [10.0.0.1]:tcp:80 UP",
    ]);
  });

  test("is lost below quorum - hysteresis and gained again at quorum + hysteresis", () => {
    const servers = [1, 2, 3, 4].map((n) => server(`10.1.0.${n}`));
    const rig = new Rig(virtualServer(servers, { quorum: 3, hysteresis: 1 })).start().until(3);
    rig.answer(0, REFUSED).answer(1, REFUSED).until(10);
    assert.equal(rig.state.quorumUp, true);
    rig.answer(2, REFUSED).until(15);
    assert.equal(rig.state.quorumUp, false);
    rig.answer(2, OK).answer(1, OK).until(25);
    assert.equal(rig.state.quorumUp, false);
    rig.answer(0, OK).until(35);
    assert.equal(rig.state.quorumUp, true);
  });

  test("starts with the sorry server under alpha", () => {
    const rig = new Rig(
      virtualServer([realServer("10.1.0.1", { checkers: [tcpCheck("10.1.0.1", { alpha: true })] })], {
        alpha: true,
        sorryServer: SORRY,
      }),
    ).start();
    assert.deepEqual(rig.members, ["10.1.0.9 1"]);
    assert.deepEqual(rig.lines().slice(0, 1), ["Adding sorry server [10.1.0.9]:tcp:80 to VS [10.0.0.1]:tcp:80"]);
  });
});

describe("weights", () => {
  const misc = {
    ...SCHEDULE,
    retry: 0,
    type: "MISC_CHECK" as const,
    command: script("/bin/check"),
    timeout: seconds(3),
    dynamic: true,
  };
  const file = (weight: number) =>
    ({ ...SCHEDULE, type: "FILE_CHECK", trackFile: "f", weight, reverse: false }) as const;

  test("follow the exit status of a dynamic MISC_CHECK", () => {
    const rig = new Rig(virtualServer([realServer("10.1.0.1", { checkers: [misc] })])).start();
    rig.answer(0, { ok: true, detail: "exited with status 9", weight: 7 }).take();
    rig.until(2);
    assert.deepEqual(rig.lines(), [
      "Changing weight from 1 to 7 for active service [10.1.0.1]:tcp:80 of VS [10.0.0.1]:tcp:80",
      "Misc check for [[10.1.0.1]:tcp:80 VS [10.0.0.1]:tcp:80] by [/bin/check] succeeded.",
      "= 10.1.0.1 7",
    ]);
    rig.answer(0, { ok: false, detail: "exited with status 1", line: undefined }).until(5);
    assert.equal(
      rig.lines()[0],
      "Misc check for [[10.1.0.1]:tcp:80 VS [10.0.0.1]:tcp:80] by [/bin/check] failed with retry disabled (exited with status 1).",
    );
  });

  test("add what a FILE_CHECK says, and count for the quorum", () => {
    const checker = file(2);
    const rig = new Rig(virtualServer([realServer("10.1.0.1", { checkers: [checker] })])).start();
    rig.give({ type: "result", server: 0, checker: 0, result: fileResult(checker, 5) });
    assert.deepEqual(rig.members, ["10.1.0.1 11"]);
    rig.give({ type: "result", server: 0, checker: 0, result: fileResult(checker, -1) });
    assert.deepEqual(rig.members, ["10.1.0.1 0"]);
    assert.equal(rig.state.quorumUp, false);
  });

  test("do not matter to a FILE_CHECK of weight 0: any other number than 0 takes the server out", () => {
    const checker = file(0);
    const rig = new Rig(virtualServer([realServer("10.1.0.1", { checkers: [checker] })])).start();
    rig.give({ type: "result", server: 0, checker: 0, result: fileResult(checker, 3) });
    assert.deepEqual(rig.members, []);
    rig.give({ type: "result", server: 0, checker: 0, result: fileResult(checker, 0) });
    assert.deepEqual(rig.members, ["10.1.0.1 1"]);
  });
});

describe("ha_suspend", () => {
  test("asks nobody while no address is here, and keeps what was known", () => {
    const rig = new Rig(two({ haSuspend: true })).start().until(2);
    rig.give({ type: "suspend", on: true, random: 0 });
    const asked = rig.probes.length;
    rig.until(100);
    assert.equal(rig.probes.length, asked);
    assert.deepEqual(rig.members, ["10.1.0.2 1", "10.1.0.1 1"]);
    rig.give({ type: "suspend", on: false, random: 0 }).until(102);
    assert.equal(rig.probes.length, asked + 2);
  });
});

describe("a stop", () => {
  test("names each server and removes the services; with omega scripts are told", () => {
    const rig = new Rig(
      two({
        omega: true,
        quorumDown: script("quorum_down"),
        realServers: [realServer("10.1.0.1", { notifyDown: script("down1") })],
      }),
    );
    rig.start().take();
    rig.give({ type: "stop" });
    assert.deepEqual(rig.take().map(shown), [
      "abort-probes",
      "Shutting down service [10.1.0.1]:tcp:80 from VS [10.0.0.1]:tcp:80",
      "run down1",
      "fifo RS [10.1.0.1]:tcp:80 [10.0.0.1]:tcp:80 DOWN",
      "run quorum_down",
      "fifo VS [10.0.0.1]:tcp:80 DOWN",
      "delete-services",
    ]);
    assert.equal(nextDeadline(rig.state), undefined);
  });
});

describe("a start over a table that another process left", () => {
  test("changes nothing and tells nobody until a check says otherwise", () => {
    const rig = new Rig(two({ quorumUp: script("quorum_up") })).start([member("10.1.0.2"), member("10.1.0.1")]);
    assert.deepEqual(rig.take().map(shown), ["edit-services"]);
    rig.until(10);
    assert.deepEqual(rig.lines(), []);
  });

  test("leaves a server out that was out, until it passes; it is asked within a second", () => {
    const rig = new Rig(two()).start([member("10.1.0.2")]);
    assert.deepEqual(rig.members, ["10.1.0.2 1"]);
    rig.until(1);
    assert.deepEqual(rig.members, ["10.1.0.1 1", "10.1.0.2 1"]);
  });

  test("goes on apologising", () => {
    const rig = new Rig(two({ sorryServer: SORRY }))
      .answer(0, REFUSED)
      .answer(1, REFUSED)
      .start([member("10.1.0.9")])
      .until(9);
    assert.deepEqual(rig.members, ["10.1.0.9 1"]);
    rig.answer(1, OK).until(16);
    assert.deepEqual(rig.members, ["10.1.0.2 1"]);
  });

  test("removes what is no longer configured", () => {
    const rig = new Rig(two()).start([member("10.1.0.1"), member("10.1.0.2"), member("10.1.0.3")]);
    assert.deepEqual(rig.members, ["10.1.0.1 1", "10.1.0.2 1"]);
  });
});

describe("a reload", () => {
  test("keeps the health of what did not change", () => {
    const rig = new Rig(two()).answer(0, REFUSED).start().until(3);
    const third = virtualServer([realServer("10.1.0.1"), realServer("10.1.0.2"), realServer("10.1.0.3")]);
    rig.take();
    rig.reload(third);
    assert.deepEqual(rig.lines(), ["+ 10.1.0.3 1"]);
    assert.deepEqual(rig.members, ["10.1.0.3 1", "10.1.0.2 1"]);
  });

  test("removes a server that is gone and edits one that has another weight", () => {
    const rig = new Rig(two()).start().until(3);
    rig.take();
    rig.reload(virtualServer([realServer("10.1.0.2", { settings: { ...SETTINGS, weight: 5 } })]));
    assert.deepEqual(rig.members, ["10.1.0.2 5"]);
  });

  test("keeps a server that is down down when its check gets another rhythm", () => {
    const rig = new Rig(two()).answer(0, REFUSED).start().until(3);
    const checkers = [tcpCheck("10.1.0.1", { delayLoop: seconds(9) })];
    rig.reload(two({ realServers: [realServer("10.1.0.1", { checkers }), realServer("10.1.0.2")] }));
    assert.deepEqual(rig.members, ["10.1.0.2 1"]);
  });

  test("takes a server in whose failing check was removed", () => {
    const rig = new Rig(two()).answer(0, REFUSED).start().until(3);
    rig.reload(two({ realServers: [realServer("10.1.0.1", { checkers: [] }), realServer("10.1.0.2")] }));
    assert.deepEqual(rig.members, ["10.1.0.1 1", "10.1.0.2 1"]);
  });
});

describe("a drain", () => {
  test("stops new clients, says when nothing is left, and ends with undrain", () => {
    const rig = new Rig(two()).start().until(2);
    rig.take();
    rig.give({ type: "drain", server: 0, within: undefined });
    assert.deepEqual(rig.members, ["10.1.0.2 1", "10.1.0.1 0"]);
    assert.equal(rig.pool[1]?.settings.draining, true);
    rig.give({ type: "connections", server: 0, active: 2, inactive: 1 });
    rig.give({ type: "connections", server: 0, active: 0, inactive: 0 });
    rig.give({ type: "connections", server: 0, active: 0, inactive: 0 });
    const phases = rig
      .take("event")
      .flatMap((one) => (one.type === "event" && one.event.kind === "drain" ? [one.event.phase] : []));
    assert.deepEqual(phases, ["started", "empty"]);
    rig.give({ type: "undrain", server: 0 });
    assert.deepEqual(rig.members, ["10.1.0.2 1", "10.1.0.1 1"]);
  });

  test("asked for again it goes on with the new deadline, and is not told a second time", () => {
    const rig = new Rig(two()).start().until(2);
    rig.give({ type: "drain", server: 0, within: undefined });
    rig.give({ type: "connections", server: 0, active: 2, inactive: 1 }).take();
    rig.give({ type: "drain", server: 0, within: seconds(30) });
    assert.deepEqual(rig.take("event"), []);
    const { active, inactive } = rig.state.servers[0]?.drain ?? {};
    assert.deepEqual([active, inactive], [2, 1]);
    rig.until(32.1);
    assert.equal(rig.take("reset-connections").length, 1);
  });

  test("cuts off at the deadline what is left", () => {
    const rig = new Rig(two()).start().until(2);
    rig.give({ type: "drain", server: 0, within: seconds(30) });
    rig.give({ type: "connections", server: 0, active: 2, inactive: 0 }).take();
    rig.until(31.9);
    assert.deepEqual(rig.take("reset-connections"), []);
    rig.until(32.1);
    assert.equal(rig.take("reset-connections").length, 1);
    assert.deepEqual(rig.members, ["10.1.0.2 1", "10.1.0.1 0"]);
  });

  test("keeps its server in the table below the quorum too", () => {
    const rig = new Rig(two({ quorum: 2, sorryServer: SORRY })).start().until(2);
    rig.give({ type: "drain", server: 0, within: undefined });
    assert.deepEqual(rig.members, ["10.1.0.9 1", "10.1.0.1 0"]);
  });
});

test("whatever the checks say, the table is what the state asks for and no server is lost or doubled", () => {
  const step = fc.record({ server: fc.nat(2), ok: fc.boolean(), drain: fc.constantFrom(undefined, true, false) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 25 }), fc.nat(3), fc.boolean(), (steps, quorum, sorry) => {
      const servers = ["10.1.0.1", "10.1.0.2", "10.1.0.3"].map((ip, n) =>
        realServer(ip, { inhibitOnFailure: n === 2 }),
      );
      const rig = new Rig(
        virtualServer(servers, { quorum: Math.max(1, quorum), sorryServer: sorry ? SORRY : undefined }),
      );
      rig.start();
      for (const [index, { server, ok, drain }] of steps.entries()) {
        rig.answer(server, ok ? OK : REFUSED);
        if (drain !== undefined)
          rig.give(drain ? { type: "drain", server, within: undefined } : { type: "undrain", server });
        rig.until(index * 4);
        assert.deepEqual(
          new Set(rig.members),
          new Set(rig.state.pool.map((one) => `${one.key.address} ${one.settings.weight}`)),
        );
        const alive = rig.state.servers.filter((one) => one.alive && one.drain === undefined).length;
        const serving = rig.pool.filter(({ settings }) => settings.weight > 0).map(({ key }) => key.address);
        if (sorry && !rig.state.quorumUp) assert.deepEqual(serving, [address("10.1.0.9")]);
        else assert.equal(serving.length, alive);
        assert.equal(new Set(rig.pool.map(({ key }) => key.address)).size, rig.pool.length);
      }
    }),
    { numRuns: 100 },
  );
});

/** Subjects and bodies that keepalived 2.2.7 sent in the same course of events. */
describe("mail", () => {
  const mails = (rig: Rig) =>
    rig.take("mail").map((output) => (output.type === "mail" ? `${output.mail.subject}: ${output.mail.text}` : ""));
  const misc = (path: string): Checker => ({
    ...SCHEDULE,
    retry: 0,
    type: "MISC_CHECK",
    command: script(path),
    timeout: seconds(1),
    dynamic: false,
  });

  test("tells of the quorum where smtp_alert asks for it, and of real servers anyway, the checker last", () => {
    const rig = new Rig(
      virtualServer([realServer("10.0.1.1", { checkers: [tcpCheck("10.0.1.1", { retry: 0 })] })], { smtpAlert: true }),
    );
    const [server, virtual] = [
      "Realserver [10.0.1.1]:tcp:80 of virtual server [10.0.0.1]:tcp:80",
      "Virtualserver [10.0.0.1]:tcp:80",
    ];
    rig.start().until(5);
    assert.deepEqual(mails(rig), [`${virtual} - UP: => Starting with quorum up 1+0=1 <= 1 <=`]);
    rig.answer(0, REFUSED).until(9);
    assert.deepEqual(mails(rig), [
      `${virtual} - DOWN: => Lost quorum 1+0=1 <= 0 <=`,
      `${server} - DOWN: => TCP CHECK failed on service <=`,
    ]);
    rig.answer(0, OK).until(14);
    assert.deepEqual(mails(rig), [
      `${virtual} - UP: => Gained quorum 1+0=1 <= 1 <=`,
      `${server} - UP: => TCP CHECK succeed on service <=`,
    ]);
  });

  test("tells of every checker with the server's state, of MISC_CHECK's first success too", () => {
    const rig = new Rig(
      virtualServer([realServer("10.0.1.1", { checkers: [tcpCheck("10.0.1.1", { retry: 0 }), misc("/a")] })]),
    );
    const server = "Realserver [10.0.1.1]:tcp:80 of virtual server [10.0.0.1]:tcp:80";
    rig.start().until(5);
    assert.deepEqual(mails(rig), [`${server} - UP: => MISC CHECK succeeded on service <=`]);
    rig.answers.set("0.0", REFUSED);
    rig.until(9);
    rig.answers.set("0.1", REFUSED);
    rig.until(13);
    rig.answers.set("0.1", OK);
    rig.until(17);
    assert.deepEqual(mails(rig), [
      `${server} - DOWN: => TCP CHECK failed on service <=`,
      `${server} - DOWN: => MISC CHECK failed on service <=`,
      `${server} - DOWN: => MISC CHECK succeeded on service <=`,
    ]);
  });

  test("with no_checker_emails tells only when the server's state changes", () => {
    const parameters = virtualServer([
      realServer("10.0.1.1", { checkers: [misc("/a"), misc("/b")] }),
      realServer("10.0.1.2", { smtpAlert: false, checkers: [misc("/a")] }),
    ]);
    const rules = { initNotifies: false, mailEveryCheck: false };
    const sent: string[] = [];
    let state = IDLE;
    const give = (input: VirtualServerInput, now: number) => {
      const step = transition(parameters, state, input, instantAt(now * 1e6), rules);
      state = step.state;
      for (const output of step.outputs) if (output.type === "mail") sent.push(output.mail.subject);
    };
    give({ type: "start", present: undefined, random: 0 }, 0);
    for (const [at, ok] of [
      [5, true],
      [15, false],
      [25, true],
    ] as const) {
      give({ type: "timer" }, at);
      for (const [server, checker] of [
        [0, 0],
        [0, 1],
        [1, 0],
      ] as const)
        give({ type: "result", server, checker, result: ok ? OK : REFUSED }, at);
    }
    const server = "Realserver [10.0.1.1]:tcp:80 of virtual server [10.0.0.1]:tcp:80";
    assert.deepEqual(sent, [`${server} - DOWN`, `${server} - UP`]);
  });
});
