#include "bus/keys.h"

#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <sstream>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "bus/z85.h"

namespace theater::bus {

namespace {

constexpr std::string_view kPublicPrefix = "tk1";
constexpr std::string_view kSecretTitle = "theater-secret-key 1";
constexpr size_t kSecretFileMax = 4096;
constexpr size_t kAuthorizedFileMax = 16u << 20;

constexpr std::pair<Role, const char*> kRoles[] = {
    {Role::kNode, "node"}, {Role::kAuditor, "auditor"}, {Role::kOperator, "operator"}, {Role::kReader, "reader"}};

std::optional<Role> role_of(std::string_view name) {
  for (const auto& [role, text] : kRoles) {
    if (name == text) return role;
  }
  return std::nullopt;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  std::vector<std::string> words;
  for (std::string word; in >> word;) words.push_back(word);
  return words;
}

std::optional<std::array<uint8_t, 32>> bytes_of(std::string_view hex) {
  const auto decoded = from_hex(hex);
  if (!decoded || decoded->size() != 32) return std::nullopt;
  std::array<uint8_t, 32> bytes;
  std::copy(decoded->begin(), decoded->end(), bytes.begin());
  return bytes;
}

Result<AuthorizedKey> parse_authorized(const std::vector<std::string>& words) {
  const auto bad = [](const std::string& what) { return Error{ErrorCode::kInvalid, what}; };
  if (words.size() < 2 || words.size() > 3) {
    return bad("expected roles, a public key and a name: `node tk1… name`");
  }
  AuthorizedKey key;
  std::istringstream roles(words[0]);
  for (std::string name; std::getline(roles, name, ',');) {
    const auto role = role_of(name);
    if (!role)
      return bad(str_cat("no such role: ", escape(as_bytes(name)), "; roles are node, auditor, operator, reader"));
    key.roles.push_back(*role);
  }
  if (key.roles.empty()) return bad("a key without a role");
  TRY_ASSIGN(key.keys, PublicKeys::parse(words[1]));
  key.name = words.size() == 3 ? escape(as_bytes(words[2])) : key.keys.curve.short_hex();
  return key;
}

}  // namespace

const char* role_name(Role role) {
  for (const auto& [known, text] : kRoles) {
    if (known == role) return text;
  }
  return "?";
}

std::string PublicKeys::text() const { return str_cat(kPublicPrefix, curve.hex(), identity.hex()); }

Result<PublicKeys> PublicKeys::parse(std::string_view text) {
  const Error bad{
      ErrorCode::kInvalid,
      "not a public key: it begins with tk1 and 128 hexadecimal digits follow (`theater keys show FILE` prints it)"};
  if (text.size() != kPublicPrefix.size() + 128 || text.substr(0, kPublicPrefix.size()) != kPublicPrefix) return bad;
  const auto curve = CurveKey::from_hex_text(text.substr(kPublicPrefix.size(), 64));
  const auto identity = PublicKey::from_hex_text(text.substr(kPublicPrefix.size() + 64));
  if (!curve || !identity || curve->is_zero() || identity->is_zero()) return bad;
  return PublicKeys{*curve, *identity};
}

SecretKeys::SecretKeys(SigningKey identity, std::array<uint8_t, 32> curve_secret, CurveKey curve_public)
    : identity_(std::move(identity)), curve_secret_(curve_secret), curve_public_(curve_public) {}

SecretKeys::SecretKeys(SecretKeys&&) noexcept = default;
SecretKeys& SecretKeys::operator=(SecretKeys&&) noexcept = default;
SecretKeys::~SecretKeys() { explicit_bzero(curve_secret_.data(), curve_secret_.size()); }

SecretKeys SecretKeys::generate() {
  const CurvePair pair = new_curve_pair();
  return SecretKeys(SigningKey::generate(), pair.secret, CurveKey{pair.public_half});
}

Result<SecretKeys> SecretKeys::load(const std::string& path) {
  struct stat info{};
  if (stat(path.c_str(), &info) == 0 && (info.st_mode & 077) != 0) {
    return Error{ErrorCode::kRefused, str_cat("the secret key file ", path, " can be used by others; run `chmod 600 ",
                                              path, "`, and make a new key if somebody may have read it")};
  }
  TRY_ASSIGN(Bytes content, read_file(path, kSecretFileMax));
  std::istringstream lines{std::string(as_text(content))};
  explicit_bzero(content.data(), content.size());
  std::string title, curve_line, identity_line;
  std::getline(lines, title);
  std::getline(lines, curve_line);
  std::getline(lines, identity_line);
  const auto curve = words_of(curve_line), identity = words_of(identity_line);
  const Error bad{ErrorCode::kInvalid, str_cat(path, " is no secret key file of version 1; `theater keys new ", path,
                                               "` makes one elsewhere")};
  if (title != kSecretTitle || curve.size() != 2 || curve[0] != "curve" || identity.size() != 2 ||
      identity[0] != "identity") {
    return bad;
  }
  const auto curve_secret = bytes_of(curve[1]);
  const auto seed = bytes_of(identity[1]);
  if (!curve_secret || !seed) return bad;
  return SecretKeys(SigningKey::from_seed(*seed), *curve_secret, CurveKey{curve_public_of(*curve_secret)});
}

Result<void> SecretKeys::save(const std::string& path) const {
  struct stat info{};
  if (lstat(path.c_str(), &info) == 0) {
    return Error{ErrorCode::kRefused, str_cat(path, " exists; a key is never overwritten. Choose another name")};
  }
  std::string text =
      str_cat(kSecretTitle, "\ncurve ", to_hex(curve_secret_), "\nidentity ", to_hex(identity_.seed()), "\n");
  const auto written = write_file(path, as_bytes(text), 0600);
  explicit_bzero(text.data(), text.size());
  return written;
}

PublicKeys SecretKeys::public_keys() const { return {curve_public_, identity_.public_key()}; }
const SigningKey& SecretKeys::identity() const { return identity_; }
std::string SecretKeys::curve_secret_z85() const { return z85_text(curve_secret_); }
std::string SecretKeys::curve_public_z85() const { return z85_text(curve_public_.bytes); }

Result<AuthorizedKeys> AuthorizedKeys::parse(std::string_view text, const std::string& path) {
  AuthorizedKeys keys;
  std::istringstream lines{std::string(text)};
  size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    const auto words = words_of(line.substr(0, line.find('#')));
    if (words.empty()) continue;
    auto key = parse_authorized(words);
    if (!key.ok()) return Error{ErrorCode::kInvalid, str_cat(path, ":", number, ": ", key.error().message)};
    const CurveKey curve = key->keys.curve;
    if (!keys.by_curve_.emplace(curve, std::move(*key)).second) {
      return Error{ErrorCode::kInvalid, str_cat(path, ":", number, ": this key stands on an earlier line too")};
    }
  }
  return keys;
}

Result<AuthorizedKeys> AuthorizedKeys::load(const std::string& path) {
  TRY_ASSIGN(const Bytes content, read_file(path, kAuthorizedFileMax));
  return parse(as_text(content), path);
}

const AuthorizedKey* AuthorizedKeys::find(const CurveKey& curve) const {
  const auto found = by_curve_.find(curve);
  return found == by_curve_.end() ? nullptr : &found->second;
}

bool AuthorizedKeys::has_role(const CurveKey& curve, Role role) const {
  const AuthorizedKey* key = find(curve);
  return key != nullptr && std::find(key->roles.begin(), key->roles.end(), role) != key->roles.end();
}

}  // namespace theater::bus
