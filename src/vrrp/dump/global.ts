/**
 * `------< Global definitions >------` of keepalived's `.data` files.
 *
 * What evenkeel has no setting for (SNMP, D-Bus, BFD, socket buffers) stands there with keepalived's default, so that the
 * lines which programs look for are where they were. Three lines that vary by build (process names, the version of
 * libnftnl) are left out.
 */

import type { DaemonSettings } from "../../config/model/daemon.ts";
import type { VrrpConfiguration } from "../../config/model/vrrp.ts";
import type { Dumped } from "./facts.ts";

const yes = (value: boolean): string => (value ? "true" : "false");

/** The parent's file lacks the line of `default_interface`. */
export function renderGlobal({ configuration, facts, daemon, umask = 0o177 }: Dumped, parent: boolean): string[] {
  const { global } = configuration;
  const { uid, gid } = facts.resolve({ argv: [], user: global.scriptUser });
  return [
    "------< Global definitions >------",
    ` Network namespace = ${facts.networkNamespace ?? "(default)"}`,
    " Network namespace ipvs = (main namespace)",
    ...processNames(daemon?.processNames),
    ` Router ID = ${facts.routerId}`,
    " Default smtp_alert = unset",
    " Default smtp_alert_vrrp = unset",
    " Default smtp_alert_checker = unset",
    " Checkers log all failures = false",
    " No test config before reload",
    ` Dynamic interfaces = ${yes(global.dynamicInterfaces)}`,
    ...(global.dynamicInterfaces ? [" Allow interface changes = false"] : []),
    ...(parent ? [] : [" Default interface = eth0"]),
    " Disable local IGMP = no",
    " LVS flush = false",
    " LVS flush on stop = disabled",
    ` FIFO write vrrp states on reload = ${yes(global.statesToFifosOnReload)}`,
    " VRRP notify priority changes = false",
    ` VRRP IPv4 mcast group = ${global.mcastGroup4}`,
    ` VRRP IPv6 mcast group = ${global.mcastGroup6}`,
    ...defaultsOf(configuration),
    " VRRP check unicast_src = false",
    ` VRRP skip check advert addresses = ${yes(global.skipCheckAdvAddr)}`,
    " VRRP strict mode = false",
    ...SCHEDULING,
    ` Script security ${global.enableScriptSecurity ? "enabled" : "disabled"}`,
    ` Default script uid:gid ${uid}:${gid}`,
    ...BUFFERS,
    ` umask = ${octal(umask)}`,
  ];
}

const octal = (value: number): string => (value === 0 ? "0" : `0${value.toString(8)}`);

/** Only those that the file gives. */
const processNames = (names: DaemonSettings["processNames"] | undefined): string[] =>
  [
    ["Parent", names?.parent],
    ["VRRP", names?.vrrp],
    ["LVS", names?.checker],
    ["BFD", names?.bfd],
  ].flatMap(([of, name]) => (name === undefined ? [] : [` ${of} process name = ${name}`]));

/** The model holds what each instance has; the defaults they came from show in the first one. */
function defaultsOf({ instances }: VrrpConfiguration): string[] {
  const first = instances[0];
  const garp = first?.garp;
  const whole = (span: number | undefined, otherwise: number) =>
    span === undefined ? otherwise : Math.round(span / 1_000_000);
  const fraction = (span: number | undefined) => ((span ?? 0) / 1_000_000).toFixed(6);
  const uses = instances.some((one) => one.vmac !== undefined || !one.accept);
  return [
    ` Gratuitous ARP delay = ${whole(garp?.masterDelay, 5)}`,
    ` Gratuitous ARP repeat = ${garp?.masterRepeat ?? 5}`,
    " Gratuitous ARP refresh timer = 0",
    ` Gratuitous ARP refresh repeat = ${garp?.masterRefreshRepeat ?? 1}`,
    ` Gratuitous ARP lower priority delay = ${whole(garp?.lowerPrioDelay, 5)}`,
    ` Gratuitous ARP lower priority repeat = ${garp?.lowerPrioRepeat ?? 5}`,
    ` Num adverts before down = ${first?.downTimerAdverts ?? 3}`,
    " Gratuitous ARP for each secondary VMAC = 0s",
    " Send advert after receive lower priority advert = true",
    " Send advert after receive higher priority advert = false",
    ` Gratuitous ARP interval = ${fraction(garp?.interval)}`,
    ` Gratuitous NA interval = ${fraction(garp?.neighbourInterval)}`,
    ` VRRP default protocol version = ${first?.version ?? 2}`,
    ...(uses
      ? [
          " nftables table name = keepalived",
          " nftables base chain priority = -1",
          " nftables don't force use ifindex for link local IPv6",
        ]
      : []),
    " nftables without counters",
  ];
}

const SCHEDULING = [
  " Max auto priority = 0",
  " Min auto priority delay = 1000000 usecs",
  ...["VRRP", "Checker", "BFD"].flatMap((name) => [
    ` ${name} process priority = 0`,
    ` ${name} don't swap = false`,
    ` ${name} realtime priority = 0`,
    ` ${name} realtime limit = 10000`,
  ]),
  " SNMP vrrp disabled",
  " SNMP checker disabled",
  " SNMP RFCv2 disabled",
  " SNMP RFCv3 disabled",
  " SNMP traps disabled",
  " SNMP socket = default (unix:/var/agentx/master)",
  " DBus disabled",
  " DBus service name = ",
];

const BUFFERS = [
  ...["vrrp_netlink_cmd", "vrrp_netlink_monitor", "process_monitor", "lvs_netlink_cmd", "lvs_netlink_monitor"].flatMap(
    (name) => [` ${name}_rcv_bufs = 0`, ` ${name}_rcv_bufs_force = 0`],
  ),
  " rs_init_notifies = 0",
  " no_checker_emails = 0",
  " rx_bufs_multiples = 3",
];
