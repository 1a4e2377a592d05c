/**
 * The structs of bpf/structs.h as values, and the codecs for them by the type information of the object.
 *
 * Field names are those of the header. Where a map is read by the million (`connections.ts`) or only partly, offsets come
 * from the same type information.
 */

import type { Btf, BtfStruct } from "../wire/btf.ts";
import { type StructCodec, structCodec } from "../wire/struct-codec.ts";

export type ServiceKeyStruct = {
  readonly address: Uint8Array;
  readonly port_be: number;
  readonly protocol: number;
  readonly family: number;
  readonly mark: number;
};

export type ServiceStruct = {
  readonly number: number;
  readonly scheduler: number;
  readonly flags: number;
  readonly persistence_seconds: number;
  readonly netmask_bits: number;
  readonly on_server_down: number;
  readonly list_first: number;
  readonly list_count: number;
  readonly table_first: number;
  readonly table_size: number;
  readonly weight_max: number;
  readonly weight_gcd: number;
  readonly weight_sum: number;
  readonly generation: number;
  readonly cursor: bigint;
};

export type ServiceStateStruct = { readonly cursor: bigint; readonly no_destination: bigint };

export type ServerStruct = {
  readonly address: Uint8Array;
  readonly port_be: number;
  readonly family: number;
  readonly method: number;
  readonly flags: number;
  readonly service: number;
  readonly weight: number;
  readonly last_weight: number;
  readonly upper_threshold: number;
  readonly lower_threshold: number;
  readonly on_server_down: number;
  readonly tunnel_port_be: number;
  readonly tunnel: number;
  readonly tunnel_flags: number;
};

export type ServerStateStruct = {
  readonly active: number;
  readonly inactive: number;
  readonly persistent: number;
  readonly overloaded: number;
};

export type CountersStruct = {
  readonly connections: bigint;
  readonly packets_in: bigint;
  readonly packets_out: bigint;
  readonly bytes_in: bigint;
  readonly bytes_out: bigint;
};

export type ServiceRecordStruct = {
  readonly key: ServiceKeyStruct;
  readonly removed: CountersStruct;
  readonly zero: CountersStruct;
};

export type ServerRecordStruct = { readonly zero: CountersStruct; readonly gone_ns: bigint };

export type ChangesStruct = { readonly epoch: bigint; readonly next_chunk: number };

export type SettingsStruct = {
  readonly timeout_ms: readonly number[];
  readonly features: number;
  readonly half_open_short: number;
  readonly half_open_refuse: number;
  readonly shortened: number;
};

export type TotalsStruct = {
  readonly connections4: number;
  readonly connections6: number;
  readonly half_open: number;
};

/** Codecs of everything that is read and written whole. @throws RangeError: the object lacks a struct */
export class Layouts {
  readonly serviceKey: StructCodec<ServiceKeyStruct>;
  readonly service: StructCodec<ServiceStruct>;
  readonly serviceState: StructCodec<ServiceStateStruct>;
  readonly server: StructCodec<ServerStruct>;
  readonly serverState: StructCodec<ServerStateStruct>;
  readonly counters: StructCodec<CountersStruct>;
  readonly serviceRecord: StructCodec<ServiceRecordStruct>;
  readonly serverRecord: StructCodec<ServerRecordStruct>;
  readonly changes: StructCodec<ChangesStruct>;
  readonly settings: StructCodec<SettingsStruct>;
  readonly totals: StructCodec<TotalsStruct>;
  readonly btf: Btf;

  constructor(btf: Btf) {
    this.btf = btf;
    this.serviceKey = structCodec(btf, "ek_service_key");
    this.service = structCodec(btf, "ek_service");
    this.serviceState = structCodec(btf, "ek_service_state");
    this.server = structCodec(btf, "ek_server");
    this.serverState = structCodec(btf, "ek_server_state");
    this.counters = structCodec(btf, "ek_counters");
    this.serviceRecord = structCodec(btf, "ek_service_record");
    this.serverRecord = structCodec(btf, "ek_server_record");
    this.changes = structCodec(btf, "ek_changes");
    this.settings = structCodec(btf, "ek_settings");
    this.totals = structCodec(btf, "ek_totals");
  }

  /** Where the fields of a struct lie, by name. @throws RangeError */
  offsets(name: string): (field: string) => number {
    const struct = structOf(this.btf, name);
    const byName = new Map(struct.fields.map((field) => [field.name, field.offset]));
    return (field) => {
      const offset = byName.get(field);
      if (offset === undefined) throw new RangeError(`struct ${name} has no ${field}`);
      return offset;
    };
  }

  /** Of a name in an enumeration. @throws RangeError */
  value(name: string): number {
    const found = this.btf.values.get(name);
    if (found === undefined) throw new RangeError(`the object has no ${name}`);
    return found;
  }

  /** Numbers by the names that begin so, without it, in lower case. */
  names(prefix: string): ReadonlyMap<string, number> {
    const named = [...this.btf.values].filter(([name]) => name.startsWith(prefix));
    return new Map(named.map(([name, number]) => [name.slice(prefix.length).toLowerCase(), number]));
  }
}

function structOf(btf: Btf, name: string): BtfStruct {
  const struct = btf.structs.get(name);
  if (struct === undefined) throw new RangeError(`the object does not describe struct ${name}`);
  return struct;
}

/** Key of an array, and of a hash map whose key is a `__u32`. */
export function numberKey(number: number): Uint8Array {
  const key = new Uint8Array(4);
  new DataView(key.buffer).setUint32(0, number, true);
  return key;
}

export const keyNumber = (key: Uint8Array): number =>
  new DataView(key.buffer, key.byteOffset, key.byteLength).getUint32(0, true);
