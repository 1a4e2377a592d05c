/** The one typed model: what all configuration files together say. */

import type { DaemonSettings } from "./daemon.ts";
import type { ProxyConfiguration } from "./proxy.ts";
import type { DirectorConfiguration } from "./virtual-server.ts";
import type { VrrpConfiguration } from "./vrrp.ts";

export interface Configuration {
  /** Undefined without a keepalived.conf. */
  readonly daemon: DaemonSettings | undefined;
  readonly vrrp: VrrpConfiguration | undefined;
  /** Undefined when the files name no virtual server and set nothing for the layer-4 data plane. */
  readonly director: DirectorConfiguration | undefined;
  readonly proxy: ProxyConfiguration | undefined;
}
