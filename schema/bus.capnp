# Messages of a link between a node and an auditor, and the envelope of the control endpoint. docs/formats/bus.md and
# docs/formats/control.md have the rules. Fields are only ever added, at the end. Hashes and keys are Data of 32 bytes.
@0xe6a1c2b7d05f3948;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("theater::bus::wire");

# How far a stream has come: its newest frame, that frame's link hash, and the body bytes of all frames up to it.
struct Mark {
  sequence @0 :UInt64;
  bytes @1 :UInt64;
  linkHash @2 :Data;
}

struct Link {
  stream @0 :Data;  # 16 bytes
  union {
    nothing @1 :Void;  # never written
    hello :group {     # node to auditor
      version @2 :UInt16;
      identity @3 :Data;
      name @4 :Text;
      nextSequence @5 :UInt64;
      oldest @6 :Mark;  # the newest frame that the node no longer holds
      previousStream @27 :Data;  # of which the node holds a receipt from before it was started; empty: it holds none
    }
    welcome :group {  # auditor to node
      durable @7 :Mark;
      expected @8 :UInt64;
      creditBytes @9 :UInt64;
      creditFrames @10 :UInt64;
      bodyMax @11 :UInt32;
      oldestSequence @19 :UInt64;
      previous @28 :Mark;  # how far the HELLO's previous stream is durable
    }
    ack :group {  # auditor to node
      durable @12 :Mark;
      creditBytes @13 :UInt64;
      creditFrames @14 :UInt64;
    }
    nack @15 :UInt64;   # auditor to node: the sequence expected next; 0: say hello first
    refuse :group {     # either way
      reason @16 :Text;
      final @17 :Bool;
    }
    goodbye @18 :UInt64;  # node to auditor: the last sequence of the stream
    fetch :group {        # node to auditor: a blob's bytes from the offset on, please
      hash @20 :Data;
      offset @21 :UInt64;
    }
    fetched :group {  # auditor to node: as many of them as fit a message
      hash @22 :Data;
      offset @23 :UInt64;
      here @24 :Bool;  # false: the auditor doesn't hold the blob
      length @25 :UInt64;
      bytes @26 :Data;
    }
    receipt :group {  # auditor to node: signed, so that it can be shown to others
      auditor @29 :Data;
      node @30 :Data;
      durable @31 :Mark;
      timeNs @32 :UInt64;
      signature @33 :Data;  # 64 bytes
    }
  }
}

struct ControlRequest {
  id @0 :UInt64;
  verb @1 :Text;
  requestId @2 :Text;
  args @3 :Data;  # a canonical Value message
}

struct ControlResponse {
  id @0 :UInt64;
  more @1 :Bool;
  union {
    result @2 :Data;  # a canonical Value message
    error :group {
      code @3 :UInt16;
      message @4 :Text;
    }
  }
}
