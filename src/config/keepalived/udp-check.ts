/** `UDP_CHECK` (keepalived.conf(5)): what is sent, and which answer is asked for. */

import type { OwnPart } from "./checker-draft.ts";
import { quote, type Report } from "./report.ts";
import type { Word } from "./tree.ts";
import { integer } from "./values.ts";
import type { Handlers } from "./walk.ts";

const LONGEST_REPLY = 65_535;
const DEFAULT_LONGEST_REPLY = 255;

export function readUdpCheck(at: Word, report: Report): { readonly handlers: Handlers; readonly own: OwnPart } {
  let payload = "";
  let requireReply = false;
  let replyPattern: string | undefined;
  let minReplyLength = 0;
  let maxReplyLength = DEFAULT_LONGEST_REPLY;
  const hex = (words: readonly Word[], digits: RegExp, what: string): string | undefined => {
    const text = words.map((word) => word.text.replace(/\s+/g, "")).join("");
    const [first] = words;
    if (digits.test(text)) return text.toLowerCase();
    const message = `Invalid hex string ${quote(text)} for UDP_CHECK ${what}`;
    report.warning("keepalived/bad-hex", first ?? at, message, "Write two hexadecimal digits a byte");
    return undefined;
  };
  const handlers: Handlers = {
    payload: ({ words }) => {
      payload = hex(words, /^(?:[0-9A-Fa-f]{2})+$/, "payload") ?? payload;
    },
    require_reply: ({ words }) => {
      requireReply = true;
      if (words.length > 0) replyPattern = hex(words, /^(?:[0-9A-Fa-fXx]{2})+$/, "reply") ?? replyPattern;
    },
    min_reply_length: ({ words: [word] }) => {
      minReplyLength = (word && integer(word, 0, LONGEST_REPLY, report, "0")) ?? minReplyLength;
    },
    max_reply_length: ({ words: [word] }) => {
      maxReplyLength = (word && integer(word, 0, LONGEST_REPLY, report, `${DEFAULT_LONGEST_REPLY}`)) ?? maxReplyLength;
    },
  };
  const own: OwnPart = () => {
    if (minReplyLength > maxReplyLength) {
      const message = `UDP_CHECK min_reply_length ${minReplyLength} > max_reply_length ${maxReplyLength} - will always fail`;
      report.warning("keepalived/bad-reply-length", at, message, "Give a max_reply_length that is the greater one");
    }
    return { type: "UDP_CHECK", payload, requireReply, replyPattern, minReplyLength, maxReplyLength };
  };
  return { handlers, own };
}
