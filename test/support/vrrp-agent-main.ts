/**
 * The driver and the network of the vrrp process, without supervisor and files: `node vrrp-agent-main.ts CONFIGURATION.json`.
 * Says `started` and every event as a line of JSON; SIGHUP reads the file again, SIGTERM ends it.
 */

import { readFileSync } from "node:fs";
import type { VrrpConfiguration } from "../../src/config/model/vrrp.ts";
import { standardErrorLog } from "../../src/daemon/log/log.ts";
import { VrrpDriver } from "../../src/daemon/vrrp/driver.ts";
import { HostNetwork } from "../../src/daemon/vrrp/network.ts";
import type { Input } from "../../src/vrrp/messages.ts";

const read = (): VrrpConfiguration => JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"));
const say = (what: object): void => console.log(JSON.stringify(what));

const log = standardErrorLog({}, false);
const configuration = read();
let driver: VrrpDriver | undefined;
const early: Input[] = [];
const network = new HostNetwork(
  configuration,
  log,
  (input) => {
    if (input.type === "route-lost" || input.type === "address") say(input);
    if (driver === undefined) early.push(input);
    else driver.handle(input);
  },
  say,
);
await network.guard(configuration);
await network.removeOldDrops();
driver = new VrrpDriver({ configuration, network, log, publish: say, detail: true });
driver.start(network.reports());
for (const input of early) driver.handle(input);
// The only thing that keeps it from ending when no timer runs.
const alive = setInterval(() => undefined, 60_000);

process.on("SIGHUP", async () => {
  const next = read();
  await network.guard(next);
  network.prepare(next);
  driver.reconfigure(next);
  network.settle();
  console.log("reloaded");
});
process.on("SIGTERM", async () => {
  await driver.stop();
  await network.close();
  clearInterval(alive);
  process.exit(0);
});
console.log("started");
