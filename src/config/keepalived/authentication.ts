/** `authentication { auth_type PASS  auth_pass … }` (RFC 2338 §10.2; removed by RFC 3768, kept alive by keepalived). */

import type { InstanceDraft } from "./instance.ts";
import type { Report } from "./report.ts";

/** The field in an advert; longer passwords are cut, by keepalived too. */
const PASS_BYTES = 8;

/** Undefined when adverts carry none. */
export function authPassOf(draft: InstanceDraft, version: 2 | 3, report: Report): string | undefined {
  const { authentication, authType, authPass, name } = draft;
  if (authentication === undefined) return undefined;
  if (version === 3) {
    const message = `(${name.text}) VRRP version 3 does not support authentication. Ignoring.`;
    report.warning(
      "keepalived/auth-version-3",
      authentication,
      message,
      "Remove the block, or write version 2 on all routers",
    );
    return undefined;
  }
  if (authType?.value === "AH") {
    const message = `(${name.text}) auth_type AH is not implemented: VRRP dropped it in 2004 and next to nobody uses it`;
    const help = "Its peers would drop every advert of this router: write PASS, or nothing, on all of them";
    report.error("keepalived/auth-ah", authType.at, message, help);
    return undefined;
  }
  if (authPass === undefined || authType === undefined) {
    const missing = authPass === undefined ? "password" : "type";
    const message = `(${name.text}) Authentication specified but no ${missing} given. Ignoring`;
    const help = authPass === undefined ? "Add auth_pass" : "Add auth_type PASS";
    report.warning("keepalived/auth-incomplete", authPass ?? authentication, message, help);
    return undefined;
  }
  if (new TextEncoder().encode(authPass.text).length <= PASS_BYTES) return authPass.text;
  const cut = firstBytes(authPass.text, PASS_BYTES);
  const help = "Peers compare 8 characters only; write no more, so that nobody relies on the rest";
  report.warning("keepalived/auth-pass-too-long", authPass, "Truncating auth_pass to 8 characters", help);
  return cut;
}

/** Whole characters only: half of one cannot be text. */
function firstBytes(text: string, count: number): string {
  let cut = "";
  let length = 0;
  for (const character of text) {
    length += new TextEncoder().encode(character).length;
    if (length > count) break;
    cut += character;
  }
  return cut;
}
