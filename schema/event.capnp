# The event: one crossing of an actor's boundary. docs/formats/event.md has the rules and a worked example.
#
# The layout is part of the format: fields are only ever added, at the end. Hashes and keys of 32 bytes are four words in the
# order of their bytes (each word is little-endian, so the bytes stand in the message as they are). Empty texts and lists,
# absent structs and zero hashes are null or zero; a message is Cap'n Proto's canonical form of that.
@0xb85a0a9e3d2c61f7;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("theater::schema::wire");

using Value = import "value.capnp".Value;

struct Event {
  version @0 :UInt16;  # 1
  incarnation @1 :UInt32;
  sequence @2 :UInt64;
  timeNs @3 :UInt64;
  actor :group { a @4 :UInt64; b @5 :UInt64; c @6 :UInt64; d @7 :UInt64; }
  parent :group { a @8 :UInt64; b @9 :UInt64; c @10 :UInt64; d @11 :UInt64; }
  type @12 :Text;
  body :union {
    genesis @13 :Genesis;
    wasmCall @14 :WasmCall;
    wasmResult @15 :WasmResult;
    hostCall @16 :HostCall;
    hostReturn @17 :HostReturn;
    error @18 :Error;
    shutdown @19 :Shutdown;
    resumed @20 :Resumed;
    fact @21 :Fact;
  }
}

# Who asked. A null pointer: the host itself.
struct Origin {
  union {
    host @0 :Void;  # never written
    client :group {
      key :group { a @1 :UInt64; b @2 :UInt64; c @3 :UInt64; d @4 :UInt64; }
      requestId @5 :Text;
    }
    cause :group {
      actor :group { a @6 :UInt64; b @7 :UInt64; c @8 :UInt64; d @9 :UInt64; }
      sequence @10 :UInt64;
      hash :group { a @11 :UInt64; b @12 :UInt64; c @13 :UInt64; d @14 :UInt64; }
    }
  }
}

enum AuditMode { strict @0; quorum @1; bestEffort @2; }

struct Genesis {
  mode @0 :AuditMode;
  quorum @1 :UInt16;
  auditors @2 :UInt16;
  gated @3 :Bool;
  packageLength @4 :UInt64;
  manifestLength @5 :UInt64;
  nonce :group { a @6 :UInt64; b @7 :UInt64; }
  node :group { a @8 :UInt64; b @9 :UInt64; c @10 :UInt64; d @11 :UInt64; }
  manifest :group { a @12 :UInt64; b @13 :UInt64; c @14 :UInt64; d @15 :UInt64; }
  package :group { a @16 :UInt64; b @17 :UInt64; c @18 :UInt64; d @19 :UInt64; }
  engineProfile :group { a @20 :UInt64; b @21 :UInt64; c @22 :UInt64; d @23 :UInt64; }
  previousLife :group { a @24 :UInt64; b @25 :UInt64; c @26 :UInt64; d @27 :UInt64; }
  name @28 :Text;
  requestedBy @29 :Origin;
}

struct WasmCall {
  args @0 :List(Value);
  origin @1 :Origin;
}

struct WasmResult {
  fuel @0 :UInt64;
  results @1 :List(Value);
}

enum Effect { none @0; outside @1; }

struct HostCall {
  effect @0 :Effect;
  args @1 :List(Value);
  results @2 :List(Value);
}

enum Outcome { done @0; unknown @1; }

struct HostReturn {
  outcome @0 :Outcome;
  results @1 :List(Value);
}

enum ErrorKind { trap @0; killed @1; deadline @2; limit @3; hostFailure @4; guestError @5; }

struct Error {
  kind @0 :ErrorKind;
  inCall @1 :Bool;
  fuel @2 :UInt64;
  message @3 :Text;
  requestedBy @4 :Origin;
}

struct Shutdown {
  reason @0 :Text;
  data @1 :List(Value);
  requestedBy @2 :Origin;
}

struct Resumed {
  callInterrupted @0 :Bool;
  node :group { a @1 :UInt64; b @2 :UInt64; c @3 :UInt64; d @4 :UInt64; }
  engineProfile :group { a @5 :UInt64; b @6 :UInt64; c @7 :UInt64; d @8 :UInt64; }
  unknownIntents @9 :List(UInt64);
  dropped @10 :List(Text);
  grant @11 :Data;
}

struct Fact {
  value @0 :Value;
}
