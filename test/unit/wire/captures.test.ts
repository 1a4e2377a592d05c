/** Every frame that keepalived 2.2.7 sent in the captured labs, taken apart and built again. */

import assert from "node:assert/strict";
import { readdirSync } from "node:fs";
import { describe, it } from "node:test";
import { ARP_REQUEST, decodeArp, encodeArp, gratuitousArpFrame } from "../../../src/wire/arp.ts";
import { decodeEthernet, ETHERTYPE_ARP, ETHERTYPE_IPV4, encodeEthernet } from "../../../src/wire/ethernet.ts";
import { decodeIpv4, encodeIpv4, PROTOCOL_VRRP } from "../../../src/wire/ipv4.ts";
import { decodeAdvert, encodeAdvert } from "../../../src/wire/vrrp.ts";
import { readPcap } from "../../support/pcap.ts";

const folder = new URL("../../fixtures/vrrp/", import.meta.url);
const captures = readdirSync(folder)
  .filter((name) => name.endsWith(".pcap"))
  .sort()
  .map((name) => ({
    name,
    frames: readPcap(new URL(name, folder)).map(({ bytes }) => {
      const frame = decodeEthernet(bytes);
      assert(frame.ok, name);
      return { bytes, ...frame.value };
    }),
  }));

const framesOf = (etherType: number) =>
  captures.flatMap(({ name, frames }) =>
    frames.filter((frame) => frame.etherType === etherType).map((frame) => ({ name, ...frame })),
  );

describe("captures of keepalived", () => {
  it("are all there", () => {
    assert.equal(captures.length, 17);
    assert.ok(captures.every(({ frames }) => frames.length > 0));
  });

  it("give the same Ethernet frames again", () => {
    for (const { name, frames } of captures) {
      for (const frame of frames) assert.equal(encodeEthernet(frame).toHex(), frame.bytes.toHex(), name);
    }
  });

  it("give the same IPv4 packets again, header checksum included", () => {
    let seen = 0;
    for (const frame of framesOf(ETHERTYPE_IPV4)) {
      const packet = decodeIpv4(frame.payload);
      assert(packet.ok, frame.name);
      const bytes = encodeIpv4(packet.value);
      assert.equal(bytes.toHex(), frame.payload.subarray(0, bytes.length).toHex(), frame.name);
      seen++;
    }
    assert.ok(seen > 150, `only ${seen} packets`);
  });

  it("give the same adverts again, computed checksum included", () => {
    const versions = { 2: 0, 3: 0 };
    for (const frame of framesOf(ETHERTYPE_IPV4)) {
      const packet = decodeIpv4(frame.payload);
      assert(packet.ok, frame.name);
      if (packet.value.protocol !== PROTOCOL_VRRP) continue;
      const received = decodeAdvert(packet.value.payload);
      assert(received.ok, frame.name);
      assert.equal(received.value.trailing.length, 0, frame.name);
      assert.equal(encodeAdvert(received.value.advert, packet.value).toHex(), packet.value.payload.toHex(), frame.name);
      versions[received.value.advert.version]++;
    }
    assert.ok(versions[2] > 80 && versions[3] > 30, JSON.stringify(versions));
  });

  it("give the same ARP packets again", () => {
    let gratuitous = 0;
    for (const frame of framesOf(ETHERTYPE_ARP)) {
      const packet = decodeArp(frame.payload);
      assert(packet.ok, frame.name);
      const bytes = encodeArp(packet.value);
      assert.equal(bytes.toHex(), frame.payload.subarray(0, bytes.length).toHex(), frame.name);
      const { operation, senderIp, targetIp, senderMac } = packet.value;
      if (operation !== ARP_REQUEST || senderIp !== targetIp) continue;
      assert.equal(gratuitousArpFrame(senderMac, senderIp).toHex(), frame.bytes.subarray(0, 42).toHex(), frame.name);
      gratuitous++;
    }
    assert.ok(gratuitous > 50, `only ${gratuitous} gratuitous`);
  });
});
