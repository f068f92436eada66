// Channels: how one is opened, what goes over it, and how both sides learn of its end. Everything here runs in this
// actor's turn, but for put_close. What an actor holds is here, what both share in channel.h.
#include "base/check.h"
#include "node/actor/actor.h"

namespace theater::node {

using schema::Value;

namespace {

std::string quoted(const Actor& actor) { return str_cat("'", actor.name(), "' ", actor.id().short_hex()); }

}  // namespace

Result<void> Actor::room_for_channel() {
  if (channels_ != nullptr && !exports(wasm::handle_channel_close_function())) {
    std::erase_if(channels_->all, [](const auto& each) { return each.second->state() == Channel::State::kClosed; });
  }
  if (channels_ == nullptr || channels_->all.size() < limits().channels) return Ok{};
  return Error{ErrorCode::kUnavailable,
               str_cat(quoted(*this), " has ", channels_->all.size(), " channels already (limits.channels)")};
}

void Actor::keep_channel(const std::shared_ptr<Channel>& channel) {
  if (channels_ == nullptr) channels_ = std::make_unique<Channels>();
  channels_->all.emplace(channel->number(), channel);
}

void Actor::forget_channel(uint64_t number) {
  if (channels_ == nullptr) return;
  channels_->all.erase(number);
  if (channels_->all.empty()) channels_.reset();
}

// --- the opener ---

bool Actor::open_channel_with_event(std::string_view target, BytesView message, std::optional<uint64_t> timeout_ns) {
  const auto begin = [&]() -> Result<bool> {
    if (talk_ == nullptr) {
      TRY(room_for_channel());
      TRY_ASSIGN(auto to, resolve_other(target));
      TRY(to->accepts(wasm::handle_channel_open_function()));
      begin_talk(std::move(to), wasm::handle_channel_open_function(), message.size(), timeout_ns);
    }
    return take_room();
  };
  if (!may_go(begin())) return false;
  if (talk_->answer) return true;
  talk_->channel = std::make_shared<Channel>(++context_->channels, id(), talk_->to->id());
  talk_->message.channel = talk_->channel;
  auto& params = talk_->message.params;
  params.push_back(Value::string(id().hex()));
  params.push_back(Value::u64(talk_->channel->number()));
  params.push_back(Value::bytes(Bytes(message.begin(), message.end())));
  return true;
}

std::optional<Result<Services::OpenedChannel>> Actor::take_channel() {
  CHECK(talk_ != nullptr, "nothing was asked");
  const auto channel = talk_->channel;
  auto answer = take_answer();
  if (!answer) return std::nullopt;
  if (!answer->ok()) {
    // It may have been accepted at the very moment when the deadline came.
    if (channel != nullptr)
      close_channel(channel, str_cat(quoted(*this), " didn't wait for the answer"), newest_event());
    return Result<OpenedChannel>(std::move(*answer).error());
  }
  keep_channel(channel);
  return Result<OpenedChannel>(OpenedChannel{channel->number(), std::move(*answer).value()});
}

// --- the acceptor ---

// A channel's message has its turn. False: it leaves no trace.
bool Actor::take_up(const Message& message) {
  if (message.function == &wasm::handle_channel_close_function()) forget_channel(message.channel->number());
  if (message.function != &wasm::handle_channel_open_function()) return true;
  if (const auto room = room_for_channel(); !room.ok()) {
    message.reply->answer(room.error());
    return false;
  }
  keep_channel(message.channel);
  channels_->offered = message.channel;
  return true;
}

// handle-channel-open returned; `answer` is its tuple<bool, option<list<u8>>>.
void Actor::answer_offer(const std::shared_ptr<Reply>& reply, const Value& answer) {
  const auto& parts = answer.get<Value::Tuple>()->items;
  const auto& payload = parts[1].get<Value::Option>()->payload;
  if (!*parts[0].get<bool>()) {
    refuse_offer();
    const std::string words = payload == nullptr ? "" : str_cat(": ", event_text(as_text(*payload->get<Bytes>())));
    reply->answer(Error{ErrorCode::kRefused, str_cat(quoted(*this), " refused the channel", words)});
    return;
  }
  const auto channel = std::exchange(channels_->offered, nullptr);
  if (!channel->accept()) return put_close(channel, {});  // the opener didn't wait
  reply->answer(payload == nullptr ? std::nullopt : std::optional(*payload->get<Bytes>()));
}

void Actor::refuse_offer() {
  const auto channel = std::exchange(channels_->offered, nullptr);
  forget_channel(channel->number());
  channel->close("refused");
}

// --- both ---

Result<std::shared_ptr<Channel>> Actor::find_channel(uint64_t number) const {
  const auto refuse = [&](std::string_view why) {
    return Error{ErrorCode::kNotFound, str_cat("this actor has no channel ", number, why)};
  };
  const auto found = channels_ == nullptr ? decltype(Channels::all)::iterator{} : channels_->all.find(number);
  if (channels_ == nullptr || found == channels_->all.end()) {
    if (number == 0 || number > context_->channels) return refuse(": there never was one of that number");
    return refuse(": it was closed, or is somebody else's");
  }
  const auto& channel = found->second;
  switch (channel->state()) {
    case Channel::State::kOpen: break;
    case Channel::State::kOffered:
      return Error{ErrorCode::kRefused,
                   str_cat("channel ", number, " isn't open before handle-channel-open has returned and accepted it")};
    case Channel::State::kClosed:
      return Error{ErrorCode::kRefused, str_cat("channel ", number, " is closed: ", channel->why_closed())};
  }
  return channel;
}

Result<bool> Actor::send_on_channel_with_event(uint64_t number, BytesView message) {
  if (auto channel = find_channel(number); !channel.ok()) {  // perhaps closed while this waited for room
    drop_talk();
    return std::move(channel).error();
  } else if (talk_ == nullptr) {
    auto to = context_->directory.find((*channel)->other(id()));
    if (to == nullptr) return Error{ErrorCode::kUnavailable, "the actor at the other end of the channel has ended"};
    TRY(to->accepts(wasm::handle_channel_message_function()));
    begin_talk(std::move(to), wasm::handle_channel_message_function(), message.size(), std::nullopt);
  }
  TRY_ASSIGN(const bool has_room, take_room());
  if (has_room) {
    talk_->message.params.push_back(Value::u64(number));
    talk_->message.params.push_back(Value::bytes(Bytes(message.begin(), message.end())));
  }
  return has_room;
}

Result<void> Actor::close_channel_with_event(uint64_t number) {
  TRY_ASSIGN(auto channel, find_channel(number));
  talk_ = std::make_unique<Talk>();
  talk_->closes = std::move(channel);
  return Ok{};
}

// The event that says so was emitted right now.
void Actor::hand_over_close(const std::shared_ptr<Channel>& channel) {
  forget_channel(channel->number());
  close_channel(channel, str_cat("closed by ", quoted(*this)), newest_event());
}

// Whoever closes first tells the other side, if that knows of the channel yet.
void Actor::close_channel(const std::shared_ptr<Channel>& channel, const std::string& why, const schema::Cause& cause) {
  if (channel->close(why) != Channel::State::kOpen) return;
  if (const auto to = context_->directory.find(channel->other(id()))) to->put_close(channel, cause);
}

// From any thread.
void Actor::put_close(const std::shared_ptr<Channel>& channel, const schema::Origin& origin) {
  if (!exports(wasm::handle_channel_close_function())) return;
  Message message;
  message.function = &wasm::handle_channel_close_function();
  message.params.push_back(Value::u64(channel->number()));
  message.params.push_back(Value::string(channel->why_closed()));
  message.origin = origin;
  message.channel = channel;
  message.needs_room = false;
  put(std::move(message));
}

// After the terminal event.
void Actor::end_channels() {
  const auto channels = std::move(channels_);
  if (channels == nullptr) return;
  for (const auto& [number, channel] : channels->all) {
    close_channel(channel, event_text(str_cat(quoted(*this), " ended: ", ended_)), newest_event());
  }
}

}  // namespace theater::node
