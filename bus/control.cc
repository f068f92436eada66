#include "bus/control.h"

#include <algorithm>

#include "bus/wire.h"
#include "schema/bus.capnp.h"
#include "schema/codec.h"

namespace theater::bus {

namespace {

constexpr size_t kVerbMax = 128;

Error bad(const std::string& what) { return Error{ErrorCode::kInvalid, str_cat("control message: ", what)}; }

// kCorrupt is for stored bytes; a message that can't be read is only bad input.
template <typename T>
Result<T> as_input(Result<T> decoded) {
  if (decoded.ok() || decoded.error().code != ErrorCode::kCorrupt) return decoded;
  return Error{ErrorCode::kInvalid, decoded.error().message};
}

Result<std::string> read_text(capnp::Text::Reader in, size_t size_max, const char* field) {
  if (in.size() > size_max) return bad(str_cat(field, " has ", in.size(), " bytes; at most ", size_max));
  const std::string text(in.begin(), in.size());
  if (!is_utf8(as_bytes(text))) return bad(str_cat(field, " isn't UTF-8"));
  return text;
}

Error missing(std::string_view name, const char* what) {
  return Error{ErrorCode::kInvalid, str_cat("the field `", name, "` is missing or isn't ", what)};
}

}  // namespace

Bytes encode_control(const ControlRequest& request) {
  capnp::MallocMessageBuilder builder;
  auto root = builder.initRoot<wire::ControlRequest>();
  root.setId(request.id);
  root.setVerb(request.verb.c_str());
  root.setRequestId(request.request_id.c_str());
  const Bytes args = schema::encode_value(request.args);
  wire::set_data(root.initArgs(static_cast<unsigned>(args.size())), args);
  return wire::flatten(builder);
}

Bytes encode_control(const ControlResponse& response) {
  capnp::MallocMessageBuilder builder;
  auto root = builder.initRoot<wire::ControlResponse>();
  root.setId(response.id);
  root.setMore(response.more);
  if (response.error) {
    auto error = root.initError();
    error.setCode(static_cast<uint16_t>(response.error->code));
    error.setMessage(response.error->message.c_str());
  } else {
    const Bytes result = schema::encode_value(response.result);
    wire::set_data(root.initResult(static_cast<unsigned>(result.size())), result);
  }
  return wire::flatten(builder);
}

Result<ControlRequest> decode_control_request(BytesView bytes) {
  if (bytes.size() > kControlMessageMax) return bad(str_cat(bytes.size(), " bytes; at most ", kControlMessageMax));
  return as_input(
      wire::read<ControlRequest>(bytes, "control request", [](capnp::MessageReader& reader) -> Result<ControlRequest> {
        const auto root = reader.getRoot<wire::ControlRequest>();
        ControlRequest request;
        request.id = root.getId();
        TRY_ASSIGN(request.verb, read_text(root.getVerb(), kVerbMax, "verb"));
        if (request.verb.empty()) return bad("no verb");
        TRY_ASSIGN(request.request_id, read_text(root.getRequestId(), kRequestIdMax, "request id"));
        TRY_ASSIGN(request.args, schema::decode_value(wire::view_of(root.getArgs())));
        return request;
      }));
}

Result<ControlResponse> decode_control_response(BytesView bytes) {
  if (bytes.size() > kControlMessageMax) return bad(str_cat(bytes.size(), " bytes; at most ", kControlMessageMax));
  return as_input(wire::read<ControlResponse>(
      bytes, "control response", [](capnp::MessageReader& reader) -> Result<ControlResponse> {
        const auto root = reader.getRoot<wire::ControlResponse>();
        ControlResponse response;
        response.id = root.getId();
        response.more = root.getMore();
        if (root.isError()) {
          if (root.getError().getCode() > static_cast<uint16_t>(ErrorCode::kIo)) return bad("an unknown error code");
          TRY_ASSIGN(std::string message, read_text(root.getError().getMessage(), kControlMessageMax, "error message"));
          response.error = Error{static_cast<ErrorCode>(root.getError().getCode()), std::move(message)};
        } else {
          TRY_ASSIGN(response.result, schema::decode_value(wire::view_of(root.getResult())));
        }
        return response;
      }));
}

bool ControlPeer::may(Role role) const {
  const auto has = [&](Role wanted) { return std::find(roles.begin(), roles.end(), wanted) != roles.end(); };
  return has(role) || (role == Role::kReader && has(Role::kOperator));
}

const schema::Value* find_field(const schema::Value& record, std::string_view name) {
  const auto* fields = record.get<schema::Value::Record>();
  if (fields == nullptr) return nullptr;
  for (const auto& field : fields->fields) {
    if (field.name == name) return &field.value;
  }
  return nullptr;
}

Result<std::string> text_field(const schema::Value& record, std::string_view name) {
  const schema::Value* field = find_field(record, name);
  if (field == nullptr || field->kind() != schema::Value::Kind::kString) return missing(name, "a string");
  return *field->get<std::string>();
}

Result<uint64_t> number_field(const schema::Value& record, std::string_view name) {
  const schema::Value* field = find_field(record, name);
  const uint64_t* number = field == nullptr ? nullptr : field->get<uint64_t>();
  if (number == nullptr) return missing(name, "an unsigned number");
  return *number;
}

Result<Bytes> bytes_field(const schema::Value& record, std::string_view name) {
  const schema::Value* field = find_field(record, name);
  if (field == nullptr || field->kind() != schema::Value::Kind::kBytes) return missing(name, "bytes");
  return *field->get<Bytes>();
}

}  // namespace theater::bus
