// Who may connect, and stay: SlowLog, KeyGate and the ZAP handler.
#include <sys/stat.h>

#include <algorithm>

#include "bus/station.h"

namespace theater::bus {

namespace {
constexpr uint64_t kSlowLogNs = 10'000'000'000;
constexpr size_t kSlowLogKindsMax = 256;
constexpr uint64_t kKeyCheckNs = 1'000'000'000;
}  // namespace

bool SlowLog::due(const std::string& kind, uint64_t now_ns) {
  if (last_ns_.size() > kSlowLogKindsMax) last_ns_.clear();
  const auto [at, is_new] = last_ns_.try_emplace(kind, now_ns);
  if (is_new) return true;
  if (now_ns - at->second < kSlowLogNs) return false;
  at->second = now_ns;
  return true;
}

KeyGate::FileState KeyGate::state_of(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) != 0) return {};
  const auto ns = [](const timespec& time) { return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec; };
  return {ns(info.st_mtim), ns(info.st_ctim), info.st_ino, static_cast<uint64_t>(info.st_size)};
}

void shut_endless(ZmqSocket& socket, const std::string& endpoint, const Surroundings& around, SlowLog& slow_log,
                  const Now& now) {
  for (const std::string& peer : socket.shut_endless(now.monotonic_ns)) {
    if (!slow_log.due("endless at " + endpoint, now.monotonic_ns)) continue;
    around.log(str_cat("shut a connection of ", peer, " at ", endpoint,
                       ", which sent a message without end or more than is taken"));
  }
}

Result<KeyGate> KeyGate::open(const std::string& path, std::vector<Role> roles, KeyNews on_key) {
  KeyGate gate;
  gate.on_key_ = std::move(on_key);
  gate.path_ = path;
  gate.roles_ = std::move(roles);
  gate.read_at_ = state_of(path);
  TRY_ASSIGN(gate.keys_, AuthorizedKeys::load(path));
  gate.tell({}, gate.keys_);
  return gate;
}

void KeyGate::tell(const AuthorizedKeys& before, const AuthorizedKeys& now) const {
  if (!on_key_) return;
  const auto tell_those_of = [this](const AuthorizedKeys& these, const AuthorizedKeys& others, bool added) {
    for (const auto& [curve, key] : these.all()) {
      const AuthorizedKey* other = others.find(curve);
      if (fits(key) && (other == nullptr || !(*other == key))) on_key_(key, added);
    }
  };
  tell_those_of(before, now, false);
  tell_those_of(now, before, true);
}

void KeyGate::refresh(const Now& now, const Surroundings& around) {
  if (now.monotonic_ns - checked_ns_ < kKeyCheckNs) return;
  checked_ns_ = now.monotonic_ns;
  const FileState state = state_of(path_);
  if (state == read_at_) return;
  read_at_ = state;
  auto keys = AuthorizedKeys::load(path_);
  if (!keys.ok()) {
    around.log(str_cat("the authorized keys stay as they were: ", keys.error().message));
    return;
  }
  tell(keys_, *keys);
  keys_ = std::move(*keys);
  around.log(str_cat("read ", keys_.size(), " authorized keys from ", path_));
}

const AuthorizedKey* KeyGate::admit(const CurveKey& curve) const {
  const AuthorizedKey* key = keys_.find(curve);
  return key != nullptr && fits(*key) ? key : nullptr;
}

bool KeyGate::fits(const AuthorizedKey& key) const {
  return std::any_of(roles_.begin(), roles_.end(),
                     [&](Role role) { return std::find(key.roles.begin(), key.roles.end(), role) != key.roles.end(); });
}

Result<std::unique_ptr<Gatekeeper>> Gatekeeper::make(const Surroundings& around) {
  TRY_ASSIGN(ZmqSocket socket, ZmqSocket::make(around.context, SocketRole::kGatekeeper, {}, 0));
  TRY(socket.bind("inproc://zeromq.zap.01"));
  return std::unique_ptr<Gatekeeper>(new Gatekeeper(around, std::move(socket)));
}

void Gatekeeper::turn(const Now& now) {
  for (int i = 0; i < 64; ++i) {
    const auto request = socket_.receive_parts();
    if (!request) return;
    socket_.send_parts(decide(*request, now));
  }
}

// The request: version, request id, domain, address, identity, mechanism, credentials. The answer: version, request id,
// status, text, user id, metadata.
std::vector<Bytes> Gatekeeper::decide(const std::vector<Bytes>& request, const Now& now) {
  const auto answer = [&](std::string_view status, std::string_view text, std::string_view user) {
    return std::vector<Bytes>{to_bytes("1.0"),  request.size() > 1 ? request[1] : Bytes{},
                              to_bytes(status), to_bytes(text),
                              to_bytes(user),   Bytes{}};
  };
  if (request.size() != 7 || as_text(request[0]) != "1.0" || as_text(request[5]) != "CURVE") {
    return answer("400", "only CURVE comes in here", "");
  }
  const auto curve = CurveKey::from_view(request[6]);
  const auto gate = gates_.find(std::string(as_text(request[2])));
  if (!curve || gate == gates_.end()) return answer("400", "nobody comes in here", "");
  gate->second->refresh(now, around_);
  if (gate->second->admit(*curve) == nullptr) {
    if (slow_log_.due(gate->first, now.monotonic_ns)) {  // not the key: a stranger has as many as he likes
      around_.log(str_cat("refused a connection from ", escape(request[3]), ": its key (CURVE ", curve->short_hex(),
                          ") has no fitting role in ", gate->second->path()));
    }
    return answer("400", "this key isn't authorized", "");
  }
  return answer("200", "", curve->hex());
}

}  // namespace theater::bus
