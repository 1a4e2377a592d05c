/** `option forwardfor`: tells the server the client's address in a header line of its own, after all others. */

import { type IpAddress, prefixContains } from "../base/ip.ts";
import type { ForwardFor } from "../config/model/proxy.ts";
import type { HeaderList } from "../http/headers.ts";

/** The backend's option names the header; an exception of either side holds. */
export function addForwardedFor(
  headers: HeaderList,
  client: IpAddress,
  frontend: ForwardFor | undefined,
  backend: ForwardFor | undefined,
): void {
  const option = backend ?? frontend;
  if (option === undefined) return;
  if (frontend?.except !== undefined && prefixContains(frontend.except, client)) return;
  if (backend?.except !== undefined && prefixContains(backend.except, client)) return;
  const always = (frontend !== undefined && !frontend.ifNone) || (backend !== undefined && !backend.ifNone);
  if (!always && headers.has(option.header.toLowerCase())) return;
  headers.append(option.header, client);
}
