// theater dump: what the bytes of a format say. docs/formats has a page for each.
#include <memory>
#include <variant>

#include "base/file.h"
#include "bus/messages.h"
#include "cli/commands.h"
#include "cli/output.h"
#include "schema/codec.h"
#include "schema/display.h"

namespace theater::cli {
namespace {

constexpr size_t kDumpMax = 64u << 20;

struct Options {
  std::string file;
};

void row(std::string_view name, const std::string& text) {
  std::string line(name);
  line.resize(14, ' ');
  print_line(line + text);
}

std::string text_of(const bus::StreamMark& mark) {
  return str_cat("frame ", mark.sequence, ", ", mark.bytes, " body bytes, link hash ", mark.link_hash.hex());
}

struct MessageRows {
  void operator()(const bus::Hello& hello) const {
    row("message", "HELLO");
    row("version", str_cat(hello.version));
    row("identity", hello.identity.hex());
    row("name", escape(as_bytes(hello.name)));
    row("next", str_cat("frame ", hello.next_sequence));
    row("oldest", text_of(hello.oldest));
    if (hello.previous_stream) row("older stream", to_hex(*hello.previous_stream));
  }
  void operator()(const bus::Welcome& welcome) const {
    row("message", "WELCOME");
    row("durable", text_of(welcome.durable));
    row("expected", str_cat("frame ", welcome.expected));
    credit(welcome.credit_frames, welcome.credit_bytes);
    row("largest body", str_cat(welcome.body_max, " bytes"));
    row("answers", str_cat("a HELLO whose oldest is frame ", welcome.oldest_sequence));
    row("older stream", text_of(welcome.previous));
  }
  void operator()(const bus::Ack& ack) const {
    row("message", "ACK");
    row("durable", text_of(ack.durable));
    credit(ack.credit_frames, ack.credit_bytes);
  }
  void operator()(const bus::Nack& nack) const {
    row("message", "NACK");
    row("expected", nack.expected == 0 ? "HELLO" : str_cat("frame ", nack.expected));
  }
  void operator()(const bus::Refuse& refuse) const {
    row("message", "REFUSE");
    row("reason", escape(as_bytes(refuse.reason)));
    row("final", refuse.final ? "yes" : "no");
  }
  void operator()(const bus::Goodbye& goodbye) const {
    row("message", "GOODBYE");
    row("last", str_cat("frame ", goodbye.last_sequence));
  }
  void operator()(const bus::Fetch& fetch) const {
    row("message", "FETCH");
    row("blob", fetch.hash.hex());
    row("offset", str_cat(fetch.offset));
  }
  void operator()(const bus::Fetched& fetched) const {
    row("message", "FETCHED");
    row("blob", fetched.hash.hex());
    row("offset", str_cat(fetched.offset));
    row("here", fetched.here ? str_cat("yes, ", fetched.length, " bytes") : "no");
    row("bytes", str_cat(fetched.bytes.size()));
  }
  void operator()(const bus::Receipt& receipt) const {
    row("message", "RECEIPT");
    row("auditor", receipt.auditor.hex());
    row("node", receipt.node.hex());
    row("durable", text_of(receipt.durable));
    row("time", format_time(receipt.time_ns));
    row("signature", str_cat(to_hex(receipt.signature),
                             bus::verify_receipt(stream, receipt) ? "  (the auditor's)" : "  (NOT the auditor's)"));
  }

  static void credit(uint64_t frames, uint64_t bytes) {
    row("credit", str_cat("to frame ", frames, " and body byte ", bytes));
  }
  const bus::StreamId& stream;
};

void dump_event(BytesView bytes) {
  const auto event = schema::decode_event(bytes);
  print_line(event.ok() ? schema::to_line(*event) : str_cat("no event: ", event.error().message));
}

void dump_item(const bus::ItemView& item) {
  switch (item.kind) {
    case bus::ItemKind::kEvent: return dump_event(item.content);
    case bus::ItemKind::kBlob: {
      const auto piece = bus::parse_blob_piece(item.content);
      if (piece->gives_up())
        return print_line(str_cat("blob ", piece->hash.hex(), " is given up: no more of it comes"));
      return print_line(str_cat("piece of blob ", piece->hash.hex(), ": ", piece->bytes.size(), " bytes from ",
                                piece->offset, " of ", piece->length));
    }
    case bus::ItemKind::kGap: {
      const auto gap = bus::parse_gap(item.content);
      return print_line(str_cat("gap of ", gap->actor.hex(), ": events ", gap->first, " to ", gap->last,
                                ", the last one's hash ", gap->head.hex()));
    }
    case bus::ItemKind::kTip: {
      const auto tip = bus::parse_tip(item.content);
      return print_line(str_cat("tip: the node's signature under the frame before, of ", format_time(tip->time_ns),
                                ", ", to_hex(tip->signature)));
    }
  }
}

void dump_frame(const bus::FrameView& frame) {
  std::vector<Hash> digests;
  for (const bus::ItemView& item : frame.items) digests.push_back(bus::item_digest(item));
  row("frame", str_cat(frame.header.sequence));
  row("stream", to_hex(frame.header.stream));
  row("time", format_time(frame.header.time_ns));
  row("previous", frame.header.previous.hex());
  row("link hash", frame.link_hash.hex());
  row("body", str_cat(counted(frame.header.items, "item"), ", ", frame.header.body_bytes, " bytes, digest ",
                      frame.header.body_digest.hex(),
                      bus::verify_frame_digest(frame, digests) ? "" : "  (NOT that of the items)"));
  for (const bus::ItemView& item : frame.items) dump_item(item);
}

Result<ExitCode> dump(const Options& options) {
  TRY_ASSIGN(const Bytes bytes, read_file(options.file, kDumpMax));
  if (as_text(bytes).starts_with("THFR")) {
    TRY_ASSIGN(const auto frame, bus::parse_frame(bytes));
    dump_frame(frame);
    return ExitCode::kDone;
  }
  if (schema::check_event(bytes).ok()) {
    dump_event(bytes);
    row("hash", sha256(bytes).hex());
    return ExitCode::kDone;
  }
  const auto message = bus::decode_link(bytes, bus::kLinkFetchedMax);
  if (!message.ok()) {
    return Error{ErrorCode::kCorrupt, str_cat(options.file, " is no frame, no event and no message of a link (",
                                              message.error().message, ")")};
  }
  row("stream", to_hex(message->stream));
  std::visit(MessageRows{message->stream}, message->body);
  return ExitCode::kDone;
}

}  // namespace

void add_dump_command(Command& root) {
  auto options = std::make_shared<Options>();
  Command verb = root.add("dump", "Prints what is in a file that holds a frame, an event or a message of a link");
  verb.argument("FILE", options->file, "For example a receipt that a node keeps of its auditor");
  verb.runs([options] { return dump(*options); });
}

}  // namespace theater::cli
