/**
 * Scenario S5 as it is tried by hand: two balancers in front of three web servers, from unmodified keepalived.conf and
 * haproxy.cfg. Each step does one thing to the running lab, measures what a client or a bystander sees, and says whether
 * that is what it must be.
 *
 * Starts nothing but what a person at the keyboards of the nodes would start; judges by probes, adverts on the wire and
 * addresses in the kernel, not by what the daemon says of itself, except where the step is about that.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { StatusReport } from "../../daemon/supervisor/status.ts";
import type { Lab } from "../lab.ts";
import type { LabNode } from "../node.ts";
import { type AdvertWatch, fetchText, monotonicMs, startProbe, type Traffic, watchAdverts } from "./observers.ts";

export const CLIENT_VIP = "178.9.2.220";
export const SERVER_VIP = "187.2.9.120";

export interface StepReport {
  readonly title: string;
  readonly ok: boolean;
  /** One fact a line: what was seen, with its figures. */
  readonly facts: readonly string[];
  /** What a client saw during the step, oldest first. */
  readonly traffic: readonly Traffic[];
}

export interface ScenarioOptions {
  /** Folder on this machine that the lab was brought up from, with `base/`; the weights step edits the balancer's file. */
  readonly folder: string;
}

/** A VIP must be gone from a dead or frozen balancer in this time, milliseconds. */
const LONGEST_STALE_MS = 5_000;
/** Far more than any step needs: a step that takes longer has failed. */
const GIVE_UP_MS = 20_000;

export class HaproxyKeepalivedScenario {
  readonly #lab: Lab;
  readonly #options: ScenarioOptions;
  #adverts: AdvertWatch | undefined;

  constructor(lab: Lab, options: ScenarioOptions) {
    this.#lab = lab;
    this.#options = options;
  }

  async *run(): AsyncGenerator<StepReport> {
    this.#adverts = await watchAdverts(this.#node("h1"), "eth0");
    const steps = [
      () => this.#settle(),
      () => this.#ping(),
      () => this.#roundRobin(),
      () => this.#cookie(),
      () => this.#weights(),
      () => this.#statisticsPage(),
      () => this.#linkDown(),
      () => this.#linkUp(),
      () => this.#cleanStop(),
      () => this.#killed(),
      () => this.#frozen(),
    ];
    for (const step of steps) {
      const report = await step();
      yield report;
      if (!report.ok) return;
    }
  }

  async #settle(): Promise<StepReport> {
    const startedAt = monotonicMs();
    const settled = await until(async () => (await this.#states("lb1")).join() === "MASTER,MASTER");
    const tookMs = monotonicMs() - startedAt;
    const standby = await this.#states("lb2");
    return {
      title: "lb1 becomes MASTER of both VIPs, lb2 waits",
      ok: settled && standby.join() === "BACKUP,BACKUP" && (await this.#holds("lb1")),
      facts: [
        `nodes up in ${Math.round(this.#lab.nodesUpMs)} ms, MASTER ${seconds(tookMs)} later`,
        `lb1 holds ${(await this.#held("lb1")).join(" and ")}`,
      ],
      traffic: [],
    };
  }

  async #ping(): Promise<StepReport> {
    const traffic = await startProbe(this.#node("h1"), {
      kind: "icmp",
      target: "187.2.9.101",
      intervalMs: 50,
      count: 5,
    });
    const records = await traffic.finished();
    const ttls = [...new Set(records.map((record) => record.ttl))];
    return {
      title: "ping from h1 to s1 is routed through the balancer's VIPs",
      ok: records.length === 5 && records.every((record) => record.ok) && ttls.length === 1 && ttls[0] === 63,
      facts: [`${records.filter((record) => record.ok).length} of 5 answered, ttl ${ttls.join(", ")}`],
      traffic: [],
    };
  }

  async #roundRobin(): Promise<StepReport> {
    const order = await this.#ask("h1", 9);
    const first = SERVERS.indexOf(order[0] ?? "");
    const wanted = order.map((_, index) => SERVERS[(first + index) % SERVERS.length]);
    return {
      title: "round robin: request n goes to server n mod 3",
      ok: first >= 0 && order.join() === wanted.join(),
      facts: [`nine requests were answered by ${order.join(" ")}`],
      traffic: [],
    };
  }

  async #cookie(): Promise<StepReport> {
    const traffic = await startProbe(this.#node("h2"), { ...HTTP, count: 6, keepCookies: true, inTurn: true });
    const order = (await traffic.finished()).map((record) => record.by ?? "none");
    return {
      title: "the cookie keeps a client on one server",
      ok: order.length === 6 && new Set(order).size === 1 && SERVERS.includes(order[0] ?? ""),
      facts: [`six requests with the cookie were answered by ${order.join(" ")}`],
      traffic: [],
    };
  }

  /** Edits the balancer's haproxy.cfg, reloads it under traffic, and puts it back. */
  async #weights(): Promise<StepReport> {
    const path = join(this.#options.folder, "base/haproxy/haproxy.cfg");
    const original = readFileSync(path, "utf8");
    const weights = [10, 25, 15];
    const weighted = original.replaceAll(
      /^(\s*server webserver(\d) .*)$/gm,
      (_, line: string, n: string) => `${line} weight ${weights[Number(n)]}`,
    );
    const reload = async (text: string) => {
      const traffic = await startProbe(this.#node("h2"), { ...HTTP, count: 5_000 });
      await until(async () => traffic.records().length >= 10);
      writeFileSync(path, text);
      const { stdout } = await this.#node("lb1").exec(["evenkeel", "reload", "--json"]);
      const at = monotonicMs();
      await until(async () => traffic.records().filter((record) => record.sentMs > at).length >= 10);
      await traffic.stop();
      return { traffic, result: (JSON.parse(stdout) as { result: string }).result };
    };
    const applied = await reload(weighted);
    const order = await this.#ask("h1", 10);
    const restored = await reload(original);
    const traffic = [applied.traffic, restored.traffic];
    const records = traffic.flatMap((one) => one.records());
    const lost = records.filter((record) => !record.ok).length;
    const counts = SERVERS.map((name) => order.filter((one) => one === name).length);
    return {
      title: "weights 10/25/15 by a reload under traffic give 2/5/3",
      ok: counts.join() === "2,5,3" && lost === 0 && applied.result === "applied" && restored.result === "applied",
      facts: [
        `ten requests were answered by ${SERVERS.map((name, index) => `${name} ${counts[index]}`).join(", ")}: ${order.join(" ")}`,
        `two reloads under traffic: ${records.length} requests, ${lost} lost`,
      ],
      traffic,
    };
  }

  async #statisticsPage(): Promise<StepReport> {
    const csv = await fetchText(this.#node("lb1"), "http://127.0.0.1:9000/haproxy?stats;csv");
    const page = await fetchText(this.#node("lb1"), "http://127.0.0.1:9000/haproxy?stats");
    const lines = csv.split("\n");
    const header = (lines[0] ?? "").replace("# ", "").split(",");
    const rows = lines
      .slice(1)
      .map((line) => Object.fromEntries(line.split(",").map((value, index) => [header[index] ?? "", value])));
    const servers = rows.filter((row) => row.pxname === "web_servers" && row.svname?.startsWith("webserver"));
    const facts = servers.map(
      (row) =>
        `${row.svname}: ${row.stot} sessions, ${row.hrsp_2xx} × 2xx, ${row.bout} bytes out, ${row.check_status}/${row.check_code} in ${row.check_duration}ms, weight ${row.weight}`,
    );
    return {
      title: "the statistics page counts what happened",
      ok:
        servers.length === 3 &&
        servers.every((row) => row.status === "UP" && row.check_status === "L7OK" && Number(row.stot) > 0) &&
        page.includes("webserver0"),
      facts: facts.length > 0 ? facts : [`the page says: ${csv.slice(0, 200).trim()}`],
      traffic: [],
    };
  }

  async #linkDown(): Promise<StepReport> {
    return this.#underTraffic("eth0 of lb1 goes down: the sync group moves both VIPs to lb2", async (since) => {
      await this.#node("lb1").link("eth0", "down");
      const moved = await until(async () => (await this.#holds("lb2")) && !(await this.#holdsAny("lb1")));
      await until(async () => this.#seenSince(since).some((advert) => advert.priority === 49));
      const priorities = [
        ...new Set(
          this.#seenSince(since)
            .filter((advert) => advert.from === LB2)
            .map((advert) => advert.priority),
        ),
      ];
      return {
        ok: moved && priorities.join() === "49",
        facts: [`lb2 advertises with priority ${priorities.join(", ")}`],
      };
    });
  }

  async #linkUp(): Promise<StepReport> {
    return this.#underTraffic("eth0 comes back: lb1 takes both VIPs again", async () => {
      await this.#node("lb1").link("eth0", "up");
      const back = await until(async () => (await this.#holds("lb1")) && !(await this.#holdsAny("lb2")));
      return { ok: back, facts: [] };
    });
  }

  async #cleanStop(): Promise<StepReport> {
    const report = await this.#underTraffic("evenkeel on lb1 is stopped cleanly: the hand-over", async () => {
      await this.#node("lb1").signal("evenkeel", "SIGTERM");
      const moved = await until(async () => (await this.#holds("lb2")) && !(await this.#holdsAny("lb1")));
      return { ok: moved, facts: [] };
    });
    await this.#startAgain();
    return report;
  }

  async #killed(): Promise<StepReport> {
    const report = await this.#underTraffic("every process of evenkeel on lb1 is killed with -9", async () => {
      const at = monotonicMs();
      await this.#node("lb1").signal("evenkeel", "SIGKILL");
      const gone = await until(async () => !(await this.#holdsAny("lb1")));
      const staleMs = monotonicMs() - at;
      const moved = await until(() => this.#holds("lb2"));
      return {
        ok: gone && moved && staleMs <= LONGEST_STALE_MS,
        facts: [`the VIPs are gone from lb1 after ${seconds(staleMs)}`],
      };
    });
    await this.#startAgain();
    return report;
  }

  async #frozen(): Promise<StepReport> {
    return this.#underTraffic("evenkeel on lb1 is frozen with SIGSTOP, and goes on later", async () => {
      const at = monotonicMs();
      await this.#node("lb1").signal("evenkeel", "SIGSTOP");
      const gone = await until(async () => !(await this.#holdsAny("lb1")));
      const staleMs = monotonicMs() - at;
      const moved = await until(() => this.#holds("lb2"));
      await this.#node("lb1").signal("evenkeel", "SIGCONT");
      const back = await until(async () => (await this.#holds("lb1")) && !(await this.#holdsAny("lb2")));
      const settledAt = monotonicMs();
      await sleep(2_500);
      const owners = [...new Set(this.#seenSince(settledAt + 500).map((advert) => advert.from))];
      return {
        ok: gone && moved && back && staleMs <= LONGEST_STALE_MS && owners.join() === LB1,
        facts: [
          `the VIPs are gone from lb1 after ${seconds(staleMs)}`,
          `afterwards one owner speaks on the wire: ${owners.join(", ")}`,
        ],
      };
    });
  }

  /** Does something while both clients keep asking, and waits until both are answered again. */
  async #underTraffic(
    title: string,
    work: (sinceMs: number) => Promise<{ readonly ok: boolean; readonly facts: readonly string[] }>,
  ): Promise<StepReport> {
    const traffic = await Promise.all(
      ["h1", "h2"].map((name) => startProbe(this.#node(name), { ...HTTP, count: 5_000 })),
    );
    await until(async () => traffic.every((one) => one.records().filter((record) => record.ok).length >= 10));
    const result = await work(monotonicMs());
    const answered = await until(async () =>
      traffic.every((one) =>
        one
          .records()
          .slice(-10)
          .every((record) => record.ok),
      ),
    );
    await Promise.all(traffic.map((one) => one.stop()));
    const gaps = traffic.map((one) => `${one.node} ${Math.round(one.longestGapMs())} ms`);
    return {
      title,
      ok: result.ok && answered,
      facts: [`longest time without an answer: ${gaps.join(", ")}`, ...result.facts],
      traffic,
    };
  }

  async #startAgain(): Promise<void> {
    const lb1 = this.#node("lb1");
    const before = lb1.process("evenkeel");
    await before.exited;
    await lb1.spawn(before.argv, { name: "evenkeel" });
    await until(async () => (await this.#holds("lb1")) && !(await this.#holdsAny("lb2")));
  }

  /** Who answered `count` requests through the VIP, each on a connection of its own. */
  async #ask(name: string, count: number): Promise<string[]> {
    const traffic = await startProbe(this.#node(name), { ...HTTP, count, inTurn: true });
    return (await traffic.finished()).map((record) => record.by ?? "none");
  }

  async #states(name: string): Promise<string[]> {
    const { status, stdout } = await this.#node(name).exec(["evenkeel", "status", "--json"]);
    if (status !== 0) return ["not running"];
    const report = JSON.parse(stdout) as StatusReport;
    return report.vrrp?.instances.map((one) => one.state) ?? [];
  }

  async #held(name: string): Promise<string[]> {
    const addresses = (await this.#node(name).links()).flatMap((link) => link.addresses);
    return addresses
      .map((address) => address.split("/")[0] ?? "")
      .filter((address) => address === CLIENT_VIP || address === SERVER_VIP);
  }

  async #holds(name: string): Promise<boolean> {
    return (await this.#held(name)).length === 2;
  }

  async #holdsAny(name: string): Promise<boolean> {
    return (await this.#held(name)).length > 0;
  }

  #seenSince(sinceMs: number) {
    return this.#adverts?.seen().filter((advert) => advert.atMs >= sinceMs) ?? [];
  }

  #node(name: string): LabNode {
    return this.#lab.node(name);
  }
}

const LB1 = "178.9.2.200";
const LB2 = "178.9.2.210";
const SERVERS = ["s1", "s2", "s3"];
const HTTP = { kind: "http", target: `http://${CLIENT_VIP}/`, intervalMs: 20, timeoutMs: 500 } as const;

const seconds = (milliseconds: number): string => `${(milliseconds / 1000).toFixed(2)} s`;

/** True when `condition` came to hold in time. Asks again at once: each question is a system call or a process of its own. */
async function until(condition: () => Promise<boolean>): Promise<boolean> {
  const deadline = monotonicMs() + GIVE_UP_MS;
  while (!(await condition())) {
    if (monotonicMs() > deadline) return false;
    await sleep(50);
  }
  return true;
}
