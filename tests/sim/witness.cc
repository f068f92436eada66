#include "tests/sim/witness.h"

#include <algorithm>

#include "bus/frame.h"
#include "persist/evidence.h"
#include "persist/store_reader.h"
#include "persist/stored_frame.h"
#include "persist/verifier.h"

namespace theater::sim {

using persist::Table;

namespace {

std::string of(const StreamAccount& stream, uint64_t sequence) { return str_cat(stream.name, ", frame ", sequence); }

bus::StreamMark mark_on(const persist::Store& disk, const PublicKey& node, const bus::StreamId& id) {
  const auto row = persist::get_row<bus::StreamMark>(disk, Table::kRows, persist::mark_key(node, id), "a stream");
  return row.ok() ? row->value_or(bus::StreamMark{}) : bus::StreamMark{};
}

}  // namespace

StreamAccount& Witness::begin_stream(StreamAccount account) {
  StreamAccount& stream = streams_.emplace_back(std::move(account));
  by_id_[{stream.auditor, stream.id}] = &stream;
  return stream;
}

StreamAccount* Witness::find(size_t auditor, const bus::StreamId& id) {
  const auto found = by_id_.find({auditor, id});
  return found == by_id_.end() ? nullptr : found->second;
}

void Witness::sealed(StreamAccount& stream, uint64_t sequence, const StreamAccount::Frame& frame) {
  if (sequence <= stream.frames.size()) {
    if (stream.frames[sequence - 1].link_hash != frame.link_hash) {
      break_invariant("stored-as-emitted", str_cat(of(stream, sequence), " was sent again with other content"));
    }
    return;
  }
  if (sequence != stream.frames.size() + 1) {
    return break_invariant("held-somewhere", str_cat(of(stream, sequence), " follows frame ", stream.frames.size()));
  }
  stream.frames.push_back(frame);
  if (frame.end_events > stream.appended.size()) {
    break_invariant("stored-as-emitted", str_cat(of(stream, sequence), " holds more events than were emitted"));
  }
}

void Witness::released(const StreamAccount& stream, uint64_t durable_content, uint64_t durable_events) {
  const uint64_t at = stream.acknowledged.sequence;
  const uint64_t events = at == 0 ? 0 : stream.frames[at - 1].end_events;
  const uint64_t content = at == 0 ? 0 : stream.frames[at - 1].end_content;
  if (durable_content > content || durable_events > events) {
    break_invariant("held-somewhere", str_cat(stream.name, ": the node let go of ", durable_events, " events, and ",
                                              events, " are acknowledged"));
  }
}

void Witness::auditor_says(size_t auditor, const persist::Store& disk, BytesView bytes) {
  const auto message = bus::decode_link(bytes, bus::kLinkFetchedMax);
  if (!message.ok()) return break_invariant("no-refusal", message.error().message);
  StreamAccount* stream = find(auditor, message->stream);
  if (stream == nullptr) return break_invariant("acknowledged-is-durable", "an answer about a stream that isn't one");
  if (const auto* ack = std::get_if<bus::Ack>(&message->body)) check_mark(*stream, ack->durable, disk);
  if (const auto* welcome = std::get_if<bus::Welcome>(&message->body)) check_mark(*stream, welcome->durable, disk);
  if (const auto* receipt = std::get_if<bus::Receipt>(&message->body)) check_mark(*stream, receipt->durable, disk);
  if (const auto* refuse = std::get_if<bus::Refuse>(&message->body)) {
    break_invariant("no-refusal", str_cat("auditor ", auditor, " refused ", stream->name, ": ", refuse->reason));
  }
}

void Witness::node_says(BytesView bytes) {
  const auto message = bus::decode_link(bytes);
  if (!message.ok()) return break_invariant("no-refusal", message.error().message);
  if (const auto* refuse = std::get_if<bus::Refuse>(&message->body)) break_invariant("no-refusal", refuse->reason);
}

void Witness::check_mark(StreamAccount& stream, const bus::StreamMark& mark, const persist::Store& disk) {
  const auto row = mark_on(disk, stream.node, stream.id);
  if (mark.sequence > row.sequence) {
    break_invariant("acknowledged-is-durable",
                    str_cat(of(stream, mark.sequence), " is acknowledged; the disk ends at ", row.sequence));
  }
  if (mark.sequence < stream.acknowledged.sequence) {
    break_invariant("acknowledged-never-taken-back",
                    str_cat(of(stream, mark.sequence), " is acknowledged after ", stream.acknowledged.sequence));
  }
  if (mark.sequence > stream.frames.size()) {
    return break_invariant("stored-as-emitted", str_cat(of(stream, mark.sequence), " is acknowledged and wasn't sent"));
  }
  if (mark.sequence == 0) return;
  const auto& frame = stream.frames[mark.sequence - 1];
  if (frame.link_hash != mark.link_hash || frame.end_bytes != mark.bytes) {
    break_invariant("acknowledged-never-taken-back",
                    str_cat(of(stream, mark.sequence), " isn't the one that was sent"));
  }
  stream.acknowledged = mark;
}

void Witness::auditor_holds(size_t auditor, const PublicKey& node, const bus::StreamMark& accepted,
                            const persist::Store& disk, uint64_t window_bytes) {
  for (const StreamAccount& stream : streams_) {
    if (stream.auditor != auditor || stream.node != node || accepted.sequence > stream.frames.size()) continue;
    if (stream.frames[accepted.sequence - 1].link_hash != accepted.link_hash) continue;
    const uint64_t durable = mark_on(disk, node, stream.id).bytes;
    if (accepted.bytes > durable + window_bytes) {
      break_invariant("auditor-bound", str_cat(stream.name, ": ", accepted.bytes - durable, " bytes aren't durable"));
    }
  }
}

void Witness::check_store(size_t auditor, const std::shared_ptr<persist::Store>& store, bool deep) {
  const auto stored = check_frames(auditor, *store);
  for (const StreamAccount& stream : streams_) {
    if (stream.auditor != auditor) continue;
    const auto found = stored.find(stream.id);
    const uint64_t there = found == stored.end() ? 0 : found->second;
    const uint64_t marked = mark_on(*store, stream.node, stream.id).sequence;
    if (there < stream.acknowledged.sequence) {
      break_invariant("acknowledged-is-durable",
                      str_cat(of(stream, stream.acknowledged.sequence), " was acknowledged; the store holds ", there));
    }
    if (there != marked) {
      break_invariant("stored-once", str_cat(of(stream, marked), " is marked; the store holds ", there));
    }
  }
  const auto walked = persist::walk_evidence(*store, [&](uint64_t, const persist::EvidenceRow& row) {
    break_invariant("no-evidence", row.reason);
    return false;
  });
  if (!walked.ok()) break_invariant("verifies", walked.error().message);
  if (deep && !broken_) check_chains(auditor, store, stored);
}

// How many frames of each stream are there.
std::map<bus::StreamId, uint64_t> Witness::check_frames(size_t auditor, const persist::Store& store) {
  std::map<bus::StreamId, uint64_t> stored;
  const auto rows = store.scan(Table::kFrames, {});
  for (; rows->valid(); rows->next()) {
    const auto frame = persist::decode_stored_frame(rows->value());
    if (!frame.ok()) {
      break_invariant("verifies", frame.error().message);
      break;
    }
    const StreamAccount* stream = find(auditor, frame->stream);
    if (stream == nullptr || frame->node != stream->node) {
      break_invariant("stored-as-emitted", "a frame of a stream that isn't one");
      break;
    }
    uint64_t& count = stored[frame->stream];
    if (frame->sequence != count + 1) {
      break_invariant("stored-once", str_cat(of(*stream, frame->sequence), " is stored after ", count));
      break;
    }
    const Hash previous = count == 0 ? Hash{} : stream->frames[count - 1].link_hash;
    if (frame->sequence > stream->frames.size() || frame->previous != previous) {
      break_invariant("stored-as-emitted", str_cat(of(*stream, frame->sequence), " isn't the one that was sent"));
      break;
    }
    ++count;
  }
  return stored;
}

// Every chain of the streams as far as they are stored: its events, its gaps, and that it verifies.
void Witness::check_chains(size_t auditor, const std::shared_ptr<persist::Store>& store,
                           const std::map<bus::StreamId, uint64_t>& stored) {
  const auto reader = persist::make_chain_reader(store);
  if (!reader.ok()) return break_invariant("verifies", reader.error().message);
  const auto reports = persist::verify_all(**reader);
  if (!reports.ok()) return break_invariant("verifies", reports.error().message);
  for (const std::string& fault : reports->faults) break_invariant("verifies", fault);

  std::map<ActorId, Chain> chains;
  for (const StreamAccount& stream : streams_) {
    const auto there = stored.find(stream.id);
    if (stream.auditor != auditor || there == stored.end()) continue;
    const uint64_t events = stream.frames[there->second - 1].end_events;
    for (uint64_t i = 0; i < events; ++i)
      chains[stream.appended[i].actor].events.push_back(stream.appended[i].sequence);
    for (const auto& [actor, dropped] : stream.dropped) chains[actor].dropped = &dropped;
  }
  for (const persist::VerifyReport& report : reports->chains) {
    if (!report.reason.empty()) break_invariant("verifies", report.reason);
    const auto chain = chains.find(report.summary.actor);
    if (chain == chains.end()) return break_invariant("stored-as-emitted", "a chain that nobody emitted");
    check_chain(**reader, report.summary, chain->second);
    chains.erase(chain);
  }
  for (const auto& [actor, chain] : chains) {
    if (chain.events.empty()) continue;  // all dropped, and its gap may not have come
    break_invariant("stored-as-emitted", str_cat("chain ", actor.short_hex(), " is missing"));
  }
}

void Witness::check_chain(persist::ChainReader& reader, const persist::ChainSummary& summary, const Chain& chain) {
  const auto wrong = [&](const std::string& what) {
    break_invariant("stored-as-emitted", str_cat("chain ", summary.actor.short_hex(), ": ", what));
  };
  std::vector<uint64_t> events, missing;
  if (summary.events > 0) {
    auto cursor = reader.events(summary.actor);
    if (!cursor.ok()) return break_invariant("verifies", cursor.error().message);
    while (true) {
      const auto item = (*cursor)->next();
      if (!item.ok()) return break_invariant("verifies", item.error().message);
      if (!item->has_value()) break;
      events.push_back((*item)->sequence);
    }
  }
  // The contents were checked with the frames, whose hashes are those that the node sealed.
  if (events != chain.events) wrong(str_cat(events.size(), " events are stored, ", chain.events.size(), " came"));
  for (const persist::SequenceRange& range : summary.missing) {
    for (uint64_t sequence = range.first; sequence <= range.last; ++sequence) missing.push_back(sequence);
  }
  // Those that were dropped after the last stored event may not be marked yet.
  static const std::vector<uint64_t> none;
  const auto& dropped = chain.dropped == nullptr ? none : *chain.dropped;
  if (missing.size() > dropped.size() || !std::equal(missing.begin(), missing.end(), dropped.begin())) {
    return wrong(str_cat(missing.size(), " events count as missing, ", dropped.size(), " were dropped"));
  }
  const uint64_t last = events.empty() ? 0 : events.back();
  if (missing.size() < dropped.size() && dropped[missing.size()] < last) {
    wrong(str_cat("event ", dropped[missing.size()], " was dropped and doesn't count as missing"));
  }
}

}  // namespace theater::sim
