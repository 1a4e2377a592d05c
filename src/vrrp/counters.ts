/**
 * What a virtual router counts. The names follow keepalived's JSON dump (`advert_rcvd` …) and RFC 6527; a reason for
 * refusing an advert is the name of its counter.
 */

export const COUNTER_NAMES = [
  "adverts-received",
  "adverts-sent",
  "became-master",
  "released-master",
  "priority-zero-received",
  "priority-zero-sent",
  "packet-length",
  "ttl",
  "destination",
  "unicast-source",
  "version",
  "packet-type",
  "checksum",
  "auth-type-invalid",
  "auth-type-mismatch",
  "auth-failure",
  "advert-interval",
  "address-list",
] as const;

export type CounterName = (typeof COUNTER_NAMES)[number];

export type Counters = Readonly<Record<CounterName, number>>;

export const NO_COUNTS: Counters = Object.fromEntries(COUNTER_NAMES.map((name) => [name, 0])) as Record<
  CounterName,
  number
>;

export const counted = (counters: Counters, name: CounterName): Counters => ({
  ...counters,
  [name]: counters[name] + 1,
});
