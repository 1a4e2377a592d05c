/** The one typed model: what all configuration files together say. */

import type { ProxyConfiguration } from "./proxy.ts";
import type { VrrpConfiguration } from "./vrrp.ts";

export interface Configuration {
  readonly vrrp: VrrpConfiguration | undefined;
  readonly proxy: ProxyConfiguration | undefined;
}
