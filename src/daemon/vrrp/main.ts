/** The vrrp process: the machine, its network and its timer, and nothing else. */

import { seconds } from "../../base/time.ts";
import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import { monotonicNow } from "../../sys/clock.ts";
import { DEFAULT_HOST_PARAMETERS } from "../../vrrp/host.ts";
import type { Input } from "../../vrrp/messages.ts";
import { serveSupervisor, tellEvent } from "../child.ts";
import { daemonLog } from "../log/daemon-log.ts";
import type { StartMessage, StopOrder, ToChild } from "../messages.ts";
import { LinkDelays, withDelayAfterBoot } from "./delays.ts";
import { VrrpDriver } from "./driver.ts";
import { HostNetwork } from "./network.ts";
import { Observer } from "./observer.ts";
import { preferThisProcess } from "./priority.ts";
import { Recorder } from "./recorder.ts";
import { type DisabledScript, withUsableScripts } from "./usable-scripts.ts";

const log = daemonLog("vrrp");
let disabledScripts: readonly DisabledScript[] = [];
let driver: VrrpDriver | undefined;
let network: HostNetwork | undefined;
let observer: Observer | undefined;
let recorder: Recorder | undefined;

/** What happened before the machine was there. */
const early: Input[] = [];
/** One reload after the other: each waits for the firewall. */
let reloaded: Promise<void> = Promise.resolve();

function handle(input: Input): void {
  if (driver === undefined) early.push(input);
  else driver.handle(input);
}

const links = new LinkDelays(handle);

async function reload(configuration: VrrpConfiguration): Promise<void> {
  links.configure(configuration.global.interfaceDelays);
  await network?.guard(configuration);
  network?.prepare(configuration);
  driver?.reconfigure(configuration);
  network?.settle();
  observer?.reconfigure(configuration);
  warnOfMissing();
}

/** What is left of a configuration is what runs; what is left out is for the report. */
function usable(configuration: VrrpConfiguration): VrrpConfiguration {
  const found = withUsableScripts(configuration, log);
  disabledScripts = found.disabled;
  return found.configuration;
}

/** Others can run than before; of those that can again, it is said. */
function scriptsDiffer(before: readonly DisabledScript[]): boolean {
  const named = (list: readonly DisabledScript[]) => new Set(list.map(({ name }) => name));
  const [were, are] = [named(before), named(disabledScripts)];
  const again = [...were.difference(are)];
  for (const name of again) log.write("notice", `Script ${name} can be run now: what tracks it counts it again`);
  return again.length > 0 || were.size !== are.size;
}

function warnOfMissing(): void {
  for (const name of network?.missing() ?? [])
    log.write("warning", `WARNING - interface ${name} doesn't exist: waiting for it`);
}

/** Without one VRRP runs all the same. */
function recorderInto(file: string | undefined): Recorder | undefined {
  if (file === undefined) return undefined;
  try {
    return new Recorder({ file, parameters: DEFAULT_HOST_PARAMETERS, log });
  } catch (error) {
    log.write("err", `nothing is recorded: ${error instanceof Error ? error.message : error}`);
    return undefined;
  }
}

function watchNeighbours(configuration: VrrpConfiguration, machine: VrrpDriver, net: HostNetwork): Observer {
  const [interfaces, snapshot] = [() => net.interfaces, () => machine.snapshot()];
  return new Observer({ configuration, interfaces, snapshot, log, publish: tellEvent });
}

/** keepalived's `-V`: for good, as far as the kernel counts seconds, and without a word to the neighbours. */
function leaveAddresses(): void {
  for (const { holdsAddresses, addresses } of driver?.snapshot().instances ?? [])
    if (holdsAddresses) for (const address of addresses) network?.holdAddress(address, seconds(4_000_000_000));
}

serveSupervisor(
  {
    async start(message: StartMessage) {
      if (message.child !== "vrrp") throw new Error(`a vrrp process was started as ${message.child}`);
      preferThisProcess(message.configuration.global.scheduling, log);
      const configuration = withDelayAfterBoot(usable(message.configuration), monotonicNow());
      links.configure(configuration.global.interfaceDelays);
      network = new HostNetwork(configuration, log, (input) => links.handle(input), tellEvent);
      links.begin(network.reports());
      warnOfMissing();
      await network.guard(configuration);
      void network.removeOldDrops();
      const detail = process.env.EVENKEEL_LOG_DETAIL === "1";
      recorder = recorderInto(message.record);
      const record = recorder?.record.bind(recorder);
      driver = new VrrpDriver({ configuration, network, log, publish: tellEvent, detail, record });
      for (const report of message.trackers) driver.handle(report);
      driver.start(network.reports());
      for (const input of early) driver.handle(input);
      observer = watchNeighbours(configuration, driver, network);
    },
    message(message: Exclude<ToChild, StartMessage>) {
      if (message.type === "trackers") for (const report of message.reports) handle(report);
      if (message.type !== "reconfigure" || !("vrrp" in message)) return;
      const before = disabledScripts;
      const configuration = usable(message.vrrp);
      if (message.onlyScripts === true && !scriptsDiffer(before)) return;
      reloaded = reloaded.then(() => reload(configuration));
    },
    async stop({ keepAddresses }: StopOrder) {
      observer?.close();
      links.close();
      await reloaded;
      if (keepAddresses === true) {
        await network?.renewed();
        return leaveAddresses();
      }
      await driver?.stop();
      await network?.close();
      await recorder?.close();
    },
    passesSignals: true,
    snapshot: () =>
      driver === undefined
        ? undefined
        : {
            ...driver.snapshot(),
            disabledScripts,
            drops: network?.drops,
            findings: observer?.report() ?? [],
          },
  },
  log,
);
