/** The intervals of a virtual router: RFC 3768 §6.1 for version 2, RFC 9568 §6.1 for version 3. */

import { type Duration, microseconds, seconds } from "../base/time.ts";

/**
 * Makes the routers with higher priorities speak first. Version 2 counts in seconds whatever the advert interval is;
 * version 3 scales with the interval that the master announces.
 */
export function skewTime(version: 2 | 3, priority: number, masterAdvertInterval: Duration): Duration {
  const unit = version === 2 ? seconds(1) : masterAdvertInterval;
  return microseconds(((256 - priority) * unit) / 256);
}

/** Time without adverts after which a backup becomes master. `adverts` is keepalived's `down_timer_adverts`, 3 by the RFC. */
export function masterDownInterval(
  version: 2 | 3,
  priority: number,
  masterAdvertInterval: Duration,
  adverts: number,
): Duration {
  return microseconds(adverts * masterAdvertInterval + skewTime(version, priority, masterAdvertInterval));
}

/** How late a successor's first advert may be for other reasons than its skew: its scheduling, and the way here. */
const HAND_OVER_ALLOWANCE = seconds(0.1);

/** A stop must end soon also with adverts every 40 seconds; who stops the process gives it 5 s (keepalived's `child_wait_time`). */
const LONGEST_HAND_OVER = seconds(3);

/**
 * How long a master that leaves waits for its successor to speak. A backup stays silent, so nobody here knows its
 * priority: this is the skew of the lowest one.
 */
export function handOverTime(version: 2 | 3, masterAdvertInterval: Duration): Duration {
  const lowest = skewTime(version, 1, masterAdvertInterval) + HAND_OVER_ALLOWANCE;
  return microseconds(Math.min(lowest, LONGEST_HAND_OVER));
}
