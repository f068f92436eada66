#include "bus/messages.h"

#include <capnp/message.h>
#include <capnp/serialize.h>
#include <kj/exception.h>

#include <algorithm>
#include <cstring>

#include "bus/wire.h"
#include "schema/bus.capnp.h"

namespace theater::bus {

namespace {

Error bad(const std::string& what) { return Error{ErrorCode::kCorrupt, str_cat("link message: ", what)}; }

std::string cut(const std::string& text) { return text.substr(0, kLinkTextMax); }

void write_mark(wire::Mark::Builder out, const StreamMark& mark) {
  out.setSequence(mark.sequence);
  out.setBytes(mark.bytes);
  wire::set_data(out.initLinkHash(Hash::kSize), mark.link_hash.view());
}

Result<StreamMark> read_mark(wire::Mark::Reader in) {
  const auto hash = Hash::from_view(wire::view_of(in.getLinkHash()));
  if (!hash) return bad("a mark's link hash isn't 32 bytes");
  return StreamMark{in.getSequence(), *hash, in.getBytes()};
}

struct Writer {
  wire::Link::Builder out;

  void operator()(const Hello& hello) {
    auto to = out.initHello();
    to.setVersion(hello.version);
    wire::set_data(to.initIdentity(PublicKey::kSize), hello.identity.view());
    to.setName(cut(hello.name).c_str());
    to.setNextSequence(hello.next_sequence);
    write_mark(to.initOldest(), hello.oldest);
    if (hello.previous_stream)
      wire::set_data(to.initPreviousStream(hello.previous_stream->size()), *hello.previous_stream);
  }
  void operator()(const Welcome& welcome) {
    auto to = out.initWelcome();
    write_mark(to.initDurable(), welcome.durable);
    to.setExpected(welcome.expected);
    to.setCreditBytes(welcome.credit_bytes);
    to.setCreditFrames(welcome.credit_frames);
    to.setBodyMax(welcome.body_max);
    to.setOldestSequence(welcome.oldest_sequence);
    write_mark(to.initPrevious(), welcome.previous);
  }
  void operator()(const Ack& ack) {
    auto to = out.initAck();
    write_mark(to.initDurable(), ack.durable);
    to.setCreditBytes(ack.credit_bytes);
    to.setCreditFrames(ack.credit_frames);
  }
  void operator()(const Nack& nack) { out.setNack(nack.expected); }
  void operator()(const Refuse& refuse) {
    auto to = out.initRefuse();
    to.setReason(cut(refuse.reason).c_str());
    to.setFinal(refuse.final);
  }
  void operator()(const Goodbye& goodbye) { out.setGoodbye(goodbye.last_sequence); }
  void operator()(const Fetch& fetch) {
    auto to = out.initFetch();
    wire::set_data(to.initHash(Hash::kSize), fetch.hash.view());
    to.setOffset(fetch.offset);
  }
  void operator()(const Fetched& fetched) {
    auto to = out.initFetched();
    wire::set_data(to.initHash(Hash::kSize), fetched.hash.view());
    to.setOffset(fetched.offset);
    to.setHere(fetched.here);
    to.setLength(fetched.length);
    wire::set_data(to.initBytes(static_cast<uint32_t>(fetched.bytes.size())), fetched.bytes);
  }
  void operator()(const Receipt& receipt) {
    auto to = out.initReceipt();
    wire::set_data(to.initAuditor(PublicKey::kSize), receipt.auditor.view());
    wire::set_data(to.initNode(PublicKey::kSize), receipt.node.view());
    write_mark(to.initDurable(), receipt.durable);
    to.setTimeNs(receipt.time_ns);
    wire::set_data(to.initSignature(receipt.signature.size()), receipt.signature);
  }
};

Result<StreamId> read_stream(BytesView in) {
  StreamId stream;
  if (in.size() != stream.size()) return bad("a stream id isn't 16 bytes");
  std::copy(in.begin(), in.end(), stream.begin());
  return stream;
}

Result<std::string> read_text(capnp::Text::Reader in, const char* field) {
  if (in.size() > kLinkTextMax) return bad(str_cat(field, " has ", in.size(), " bytes; at most ", kLinkTextMax));
  const std::string text(in.begin(), in.size());
  if (!is_utf8(as_bytes(text))) return bad(str_cat(field, " isn't UTF-8"));
  return text;
}

using Content = decltype(LinkMessage::body);

Result<Hello> read_hello(wire::Link::Hello::Reader in) {
  const auto identity = PublicKey::from_view(wire::view_of(in.getIdentity()));
  if (!identity) return bad("the identity isn't 32 bytes");
  Hello hello;
  hello.version = in.getVersion();
  hello.identity = *identity;
  TRY_ASSIGN(hello.name, read_text(in.getName(), "name"));
  hello.next_sequence = in.getNextSequence();
  TRY_ASSIGN(hello.oldest, read_mark(in.getOldest()));
  if (hello.next_sequence <= hello.oldest.sequence) return bad("the next sequence isn't after the oldest");
  if (in.hasPreviousStream()) {
    TRY_ASSIGN(hello.previous_stream.emplace(), read_stream(wire::view_of(in.getPreviousStream())));
  }
  return hello;
}

Result<Welcome> read_welcome(wire::Link::Welcome::Reader in) {
  Welcome welcome;
  welcome.oldest_sequence = in.getOldestSequence();
  TRY_ASSIGN(welcome.durable, read_mark(in.getDurable()));
  welcome.expected = in.getExpected();
  welcome.credit_bytes = in.getCreditBytes();
  welcome.credit_frames = in.getCreditFrames();
  welcome.body_max = in.getBodyMax();
  TRY_ASSIGN(welcome.previous, read_mark(in.getPrevious()));
  if (welcome.expected <= welcome.durable.sequence) return bad("it expects a frame that it says is durable");
  return welcome;
}

Result<Hash> read_hash(capnp::Data::Reader in) {
  const auto hash = Hash::from_view(wire::view_of(in));
  if (!hash) return bad("a blob's hash isn't 32 bytes");
  return *hash;
}

Result<Fetched> read_fetched(wire::Link::Fetched::Reader in) {
  Fetched fetched;
  TRY_ASSIGN(fetched.hash, read_hash(in.getHash()));
  fetched.offset = in.getOffset();
  fetched.here = in.getHere();
  fetched.length = in.getLength();
  const BytesView bytes = wire::view_of(in.getBytes());
  if (bytes.size() > kFetchedBytesMax) return bad(str_cat(bytes.size(), " bytes of a blob in one message"));
  fetched.bytes.assign(bytes.begin(), bytes.end());
  return fetched;
}

Result<Receipt> read_receipt(wire::Link::Receipt::Reader in) {
  const auto auditor = PublicKey::from_view(wire::view_of(in.getAuditor()));
  const auto node = PublicKey::from_view(wire::view_of(in.getNode()));
  const BytesView signature = wire::view_of(in.getSignature());
  Receipt receipt;
  if (!auditor || !node || signature.size() != receipt.signature.size())
    return bad("a receipt lacks a key or signature");
  receipt.auditor = *auditor;
  receipt.node = *node;
  TRY_ASSIGN(receipt.durable, read_mark(in.getDurable()));
  receipt.time_ns = in.getTimeNs();
  std::copy(signature.begin(), signature.end(), receipt.signature.begin());
  return receipt;
}

Result<void> read_body(wire::Link::Reader in, Content& body) {
  switch (in.which()) {
    case wire::Link::HELLO: {
      TRY_ASSIGN(body, read_hello(in.getHello()));
      return Ok{};
    }
    case wire::Link::WELCOME: {
      TRY_ASSIGN(body, read_welcome(in.getWelcome()));
      return Ok{};
    }
    case wire::Link::ACK: {
      TRY_ASSIGN(const StreamMark durable, read_mark(in.getAck().getDurable()));
      body = Ack{durable, in.getAck().getCreditBytes(), in.getAck().getCreditFrames()};
      return Ok{};
    }
    case wire::Link::NACK: body = Nack{in.getNack()}; return Ok{};
    case wire::Link::REFUSE: {
      TRY_ASSIGN(std::string reason, read_text(in.getRefuse().getReason(), "reason"));
      body = Refuse{std::move(reason), in.getRefuse().getFinal()};
      return Ok{};
    }
    case wire::Link::GOODBYE: body = Goodbye{in.getGoodbye()}; return Ok{};
    case wire::Link::FETCH: {
      TRY_ASSIGN(const Hash hash, read_hash(in.getFetch().getHash()));
      body = Fetch{hash, in.getFetch().getOffset()};
      return Ok{};
    }
    case wire::Link::FETCHED: {
      TRY_ASSIGN(body, read_fetched(in.getFetched()));
      return Ok{};
    }
    case wire::Link::RECEIPT: {
      TRY_ASSIGN(body, read_receipt(in.getReceipt()));
      return Ok{};
    }
    case wire::Link::NOTHING: break;
  }
  return bad("of a kind that this version doesn't know; update the older side");
}

}  // namespace

Bytes encode_link(const LinkMessage& message) {
  capnp::MallocMessageBuilder builder;
  auto root = builder.initRoot<wire::Link>();
  wire::set_data(root.initStream(message.stream.size()), message.stream);
  std::visit(Writer{root}, message.body);
  return wire::flatten(builder);
}

Result<LinkMessage> decode_link(BytesView bytes, size_t size_max) {
  if (bytes.size() > size_max) return bad(str_cat(bytes.size(), " bytes; at most ", size_max));
  return wire::read<LinkMessage>(bytes, "link message", [](capnp::MessageReader& reader) -> Result<LinkMessage> {
    const auto root = reader.getRoot<wire::Link>();
    LinkMessage message;
    TRY_ASSIGN(message.stream, read_stream(wire::view_of(root.getStream())));
    TRY(read_body(root, message.body));
    return message;
  });
}

namespace {

Bytes receipt_statement(const PublicKey& node, const StreamId& stream, const StreamMark& durable, uint64_t time_ns) {
  Bytes statement = to_bytes("theater receipt 1\n");
  const auto append = [&](BytesView bytes) { statement.insert(statement.end(), bytes.begin(), bytes.end()); };
  const auto append_number = [&](uint64_t number) {
    for (int i = 0; i < 8; ++i) statement.push_back(static_cast<uint8_t>(number >> (8 * i)));
  };
  append(node.view());
  append(stream);
  append_number(durable.sequence);
  append_number(durable.bytes);
  append_number(time_ns);
  append(durable.link_hash.view());
  return statement;
}

}  // namespace

Receipt sign_receipt(const SigningKey& auditor, const PublicKey& node, const StreamId& stream,
                     const StreamMark& durable, uint64_t time_ns) {
  return {auditor.public_key(), node, durable, time_ns,
          auditor.sign(receipt_statement(node, stream, durable, time_ns))};
}

bool verify_receipt(const StreamId& stream, const Receipt& receipt) {
  return verify_signature(receipt.auditor, receipt_statement(receipt.node, stream, receipt.durable, receipt.time_ns),
                          receipt.signature);
}

}  // namespace theater::bus
