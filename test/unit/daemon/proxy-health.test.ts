/** When a frontend, backend or listen section can serve, and what is said when nobody knows any more. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { load } from "../../../src/config/load.ts";
import { proxyHealth } from "../../../src/daemon/vrrp/trackers/proxy-health.ts";
import { VrrpTrackers } from "../../../src/daemon/vrrp/trackers/vrrp-trackers.ts";
import type { ServerStatus } from "../../../src/health/status.ts";
import type { TrackerReport } from "../../../src/vrrp/trackers.ts";
import { memoryEnvironment } from "../../support/memory-files.ts";
import { configuration, instance } from "../../support/vrrp-configuration.ts";

const CONFIGURATION = `
defaults
    mode http
frontend www
    bind 127.0.0.1:8080
    default_backend web
frontend bare
    bind 127.0.0.1:8081
backend web
    server s1 127.0.0.1:8001 check
    server s2 127.0.0.1:8002 check backup
backend empty
listen all
    bind 127.0.0.1:8082
    server s1 127.0.0.1:8001 check
`;
const { proxy } = load(["/h.cfg"], memoryEnvironment({ "/h.cfg": CONFIGURATION })).configuration;

const status = (up: boolean, lastChangeMs = 0, text: string = up ? "UP" : "DOWN"): ServerStatus => ({
  up,
  text,
  check: {
    code: up ? "L4OK" : "L4CON",
    status: undefined,
    durationMs: 0,
    description: up ? "Layer4 check passed" : "Layer4 connection problem",
    detail: up ? "" : "Connection refused",
    running: false,
    rise: 2,
    fall: 3,
    health: 0,
  },
  lastChangeMs,
  checkFailures: 0,
  downTransitions: 0,
  downtimeMs: 0,
});

type Statuses = Readonly<Record<string, ServerStatus>>;
const viewOf = (statuses: Statuses) => (backend: string, server: string) => statuses[`${backend}/${server}`];
const says = (name: string, statuses: Statuses, accepting = true): string => {
  const health = proxyHealth(proxy, name, { status: viewOf(statuses), accepting });
  return health === undefined ? "unknown" : `${health.up ? "up" : "down"}: ${health.cause}`;
};

describe("A proxy that is tracked", () => {
  const both = { "web/s1": status(false, 5), "web/s2": status(false, 9) };

  it("is up as a backend with a server that is up, a backup server too", () => {
    assert.equal(says("web", { "web/s1": status(true) }), "up: backend web has a server up");
    assert.equal(says("web", { ...both, "web/s2": status(true) }), "up: backend web has a server up");
  });

  it("is down without one, and the cause begins with the server that went last", () => {
    const root = "server s2: Layer4 connection problem, Connection refused";
    assert.equal(says("web", both), `down: ${root} → backend web has no server up`);
    assert.equal(says("www", both), `down: ${root} → backend web has no server up → frontend www has no server`);
    const maintained = { ...both, "web/s1": status(false, 10, "MAINT") };
    assert.equal(says("web", maintained), "down: server s1 is in maintenance → backend web has no server up");
    assert.equal(says("empty", {}), "down: backend empty has no server up");
  });

  it("is not known before a server has been reported, unless another is up", () => {
    assert.equal(says("web", { "web/s1": status(false) }), "unknown");
    assert.equal(says("www", {}), "unknown");
  });

  it("is down as a frontend when no process accepts, and up with nothing behind it when one does", () => {
    assert.equal(says("www", { "web/s1": status(true) }), "up: backend web has a server up");
    const down = "down: no proxy process runs → frontend www accepts nobody";
    assert.equal(says("www", { "web/s1": status(true) }, false), down);
    assert.equal(says("bare", {}), "up: frontend bare accepts");
    assert.equal(says("web", { "web/s1": status(true) }, false), "up: backend web has a server up");
  });

  it("serves as a listen section by both halves", () => {
    assert.equal(says("all", { "all/s1": status(true) }), "up: backend all has a server up");
    assert.match(says("all", { "all/s1": status(false) }), /→ backend all has no server up$/);
    assert.match(says("all", { "all/s1": status(true) }, false), /frontend all accepts nobody$/);
  });
});

describe("The trackers in the supervisor", () => {
  const NO_PROCESSES = {
    listen: () => ({ close: () => undefined }),
    watchEnd: () => ({ close: () => undefined }),
    list: () => [],
    name: () => undefined,
    commandLine: () => [],
  };
  const tracker = (name: string) => ({ name, weight: 0, reverse: false });
  const tracking = configuration([
    instance({ trackProxies: [tracker("www")], trackServices: [tracker("[v]:tcp:80")] }),
  ]);

  const start = async (statuses: Record<string, ServerStatus>) => {
    const sent: TrackerReport[] = [];
    const machine = { accepting: false };
    const trackers = new VrrpTrackers({
      log: { write: () => undefined },
      processes: NO_PROCESSES,
      send: (reports) => sent.push(...reports),
      status: (backend, server) => statuses[`${backend}/${server}`],
      accepting: () => machine.accepting,
    });
    await trackers.configure(tracking, proxy);
    const take = () =>
      sent.splice(0).map((one) => (one.type === "service-state" ? `${one.name} ${one.up}: ${one.cause}` : one.type));
    return { trackers, machine, statuses, take };
  };

  it("say each change once, to those that track it, and all of it to a vrrp process that starts again", async () => {
    const { trackers, machine, statuses, take } = await start({});
    trackers.refresh();
    assert.deepEqual(take(), [], "nothing runs yet, and that is no failure");
    machine.accepting = true;
    statuses["web/s1"] = status(true);
    trackers.refresh();
    trackers.refresh();
    assert.deepEqual(take(), ["www true: backend web has a server up"]);
    trackers.virtualServer("[v]:tcp:80", { up: false, cause: "lost" });
    trackers.virtualServer("[other]:tcp:80", { up: false, cause: "lost" });
    assert.deepEqual(take(), ["[v]:tcp:80 false: lost"]);
    machine.accepting = false;
    trackers.refresh();
    assert.deepEqual(take(), ["www false: no proxy process runs → frontend www accepts nobody"]);
    assert.deepEqual(
      trackers.reports().map((one) => one.type === "service-state" && [one.kind, one.name, one.up]),
      [
        ["proxy", "www", false],
        ["service", "[v]:tcp:80", false],
      ],
    );
    trackers.close();
  });

  it("let the last word of a director count for 15 s, and then say that nobody knows", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { trackers, machine, take } = await start({ "web/s1": status(true) });
    machine.accepting = true;
    trackers.directorHere();
    trackers.virtualServer("[v]:tcp:80", { up: true, cause: "has its quorum" });
    take();
    trackers.directorGone();
    t.mock.timers.tick(14_999);
    trackers.directorHere();
    trackers.directorGone();
    t.mock.timers.tick(14_999);
    assert.deepEqual(take(), []);
    t.mock.timers.tick(1);
    assert.deepEqual(take(), [
      "www null: the director has said nothing of proxy www for 15 s",
      "[v]:tcp:80 null: the director has said nothing of service [v]:tcp:80 for 15 s",
    ]);
    machine.accepting = false;
    trackers.refresh();
    assert.deepEqual(take(), ["www false: no proxy process runs → frontend www accepts nobody"], "that is known");
    machine.accepting = true;
    trackers.directorHere();
    assert.deepEqual(
      take().map((line) => line.slice(0, 15)),
      ["www true: backe", "[v]:tcp:80 true"],
    );
    trackers.close();
  });
});
