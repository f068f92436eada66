# One WIT value as the record keeps it. docs/formats/value.md has the rules and a worked example.
#
# The layout is part of the format: fields are only ever added, at the end. A message is canonical (Cap'n Proto's canonical
# form), and beyond that an absent or empty text, list or payload is always a null pointer.
@0xd1a3c6f4e0b75a29;

using Cxx = import "/capnp/c++.capnp";
$Cxx.namespace("theater::schema::wire");

struct Value {
  union {
    # Tag 0 is never written. So no Value is an empty struct, and a payload that exists is never mistaken for none.
    nothing @0 :Void;

    bool @1 :Bool;
    s8 @2 :Int8;
    u8 @3 :UInt8;
    s16 @4 :Int16;
    u16 @5 :UInt16;
    s32 @6 :Int32;
    u32 @7 :UInt32;
    s64 @8 :Int64;
    u64 @9 :UInt64;
    f32 @10 :Float32;  # NaN only as 0x7fc00000
    f64 @11 :Float64;  # NaN only as 0x7ff8000000000000
    char @12 :UInt32;  # a Unicode scalar value
    string @13 :Text;
    bytes @14 :Data;  # list<u8>, which never stands as `list`
    list @15 :List(Value);
    record @16 :List(Field);
    tuple @17 :List(Value);
    variant :group {
      name @18 :Text;
      payload @19 :Value;
    }
    enum @20 :Text;
    option @21 :Value;
    result :group {
      isErr @22 :Bool;
      payload @23 :Value;
    }
    flags @24 :List(Text);  # the names of those that are set
    reference :group {  # stands for a large value
      of @25 :UInt16;  # 12 string, 13 bytes: the blob is the content. 15: it is the value's own message
      length @26 :UInt64;  # of the blob, in bytes
      hash @27 :Data;  # SHA-256 of the blob
    }
    secret @28 :Data;  # 32 bytes: a salted commitment to a value that isn't recorded
  }
}

struct Field {
  name @0 :Text;
  value @1 :Value;
}
