#include "schema/reader.h"

namespace theater::schema::wire {

Error Reader::error(const char* what) const {
  CHECK(why_ != nullptr);
  return Error{ErrorCode::kCorrupt, str_cat(what, " refused at byte ", failed_at_ * kWord, ": ", field_, ": ", why_)};
}

bool Reader::root(StructAt& out, size_t data_words_max, size_t pointers_max) {
  next_ = 1;
  if (words_ == 0) return fail(0, "message", "it is empty");
  if (word(0) == 0) return fail(0, "message", "the root pointer is null");
  return struct_at(0, "message", data_words_max, pointers_max, out);
}

bool Reader::struct_at(size_t slot, const char* field, size_t data_words_max, size_t pointers_max, StructAt& out) {
  const uint64_t pointer = word(slot);
  out = {};
  if (pointer == kEmptyStruct) return true;
  const size_t data_words = pointer >> 32 & 0xFFFF;
  const size_t pointers = pointer >> 48;
  if ((pointer & 3) != 0) return fail(slot, field, "not a pointer to a struct");
  if (data_words + pointers == 0) return fail(slot, field, "an empty struct that doesn't point to itself");
  if (static_cast<uint32_t>(pointer) != static_cast<uint32_t>((next_ - slot - 1) << 2)) {
    return fail(slot, field, "the pointer doesn't follow the canonical order");
  }
  if (data_words > data_words_max || pointers > pointers_max) return fail(slot, field, "a struct with unknown fields");
  if (data_words + pointers > words_ - next_) return fail(slot, field, "the struct goes beyond the end");
  out = {next_, data_words, next_ + data_words, pointers};
  next_ += data_words + pointers;
  if (data_words > 0 && word(out.data + data_words - 1) == 0)
    return fail(slot, field, "its data ends with a zero word");
  if (pointers > 0 && word(out.pointers + pointers - 1) == 0) return fail(slot, field, "its last pointer is null");
  return true;
}

bool Reader::structure(const StructAt& at, size_t pointer, const char* field, size_t data_words_max,
                       size_t pointers_max, StructAt& out) {
  if (!has(at, pointer)) return fail(at.data, field, "it is missing");
  return struct_at(at.pointers + pointer, field, data_words_max, pointers_max, out);
}

// Checks a list's pointer; `count` is what it says: elements, or words for a struct list.
bool Reader::list_at(size_t slot, const char* field, ListKind kind, size_t& first, size_t& count) {
  const uint64_t pointer = word(slot);
  if ((pointer & 3) != 1) return fail(slot, field, "not a pointer to a list");
  if ((pointer >> 32 & 7) != kind) return fail(slot, field, "a list of another element size");
  count = pointer >> 35;
  if (count == 0) return fail(slot, field, "an empty list that isn't a null pointer");
  if (static_cast<uint32_t>(pointer) != (static_cast<uint32_t>((next_ - slot - 1) << 2) | 1)) {
    return fail(slot, field, "the pointer doesn't follow the canonical order");
  }
  const size_t words = kind == kByteList ? words_for(count) : kind == kStructList ? count + 1 : count;
  if (words > words_ - next_) return fail(slot, field, "the list goes beyond the end");
  first = next_;
  next_ += words;
  return true;
}

bool Reader::struct_list(const StructAt& at, size_t pointer, const char* field, size_t data_words_max,
                         size_t pointers_max, StructListAt& out) {
  out = {};
  if (!has(at, pointer)) return true;
  const size_t slot = at.pointers + pointer;
  size_t first = 0, words = 0;
  if (!list_at(slot, field, kStructList, first, words)) return false;
  const uint64_t tag = word(first);
  out = {first + 1, (tag & 0xFFFF'FFFF) >> 2, tag >> 32 & 0xFFFF, tag >> 48};
  if ((tag & 3) != 0) return fail(first, field, "the list's tag isn't a struct's");
  if (out.data_words > data_words_max || out.pointer_count > pointers_max) {
    return fail(first, field, "elements with unknown fields");
  }
  if (out.step() == 0 || out.count > words || out.count * out.step() != words) {
    return fail(first, field, "the list's tag contradicts its length");
  }
  bool data_needed = out.data_words == 0, pointer_needed = out.pointer_count == 0;
  for (size_t i = 0; i < out.count && !(data_needed && pointer_needed); ++i) {
    const StructAt element = out.element(i);
    if (!data_needed) data_needed = word(element.data + element.data_words - 1) != 0;
    if (!pointer_needed) pointer_needed = word(element.pointers + element.pointer_count - 1) != 0;
  }
  if (!data_needed || !pointer_needed) return fail(first, field, "elements wider than the widest needs");
  return true;
}

bool Reader::byte_list(size_t slot, const char* field, BytesView& out) {
  size_t first = 0, count = 0;
  if (!list_at(slot, field, kByteList, first, count)) return false;
  out = BytesView(bytes_ + first * kWord, count);
  const size_t used = count % kWord;
  if (used != 0 && word(first + count / kWord) >> (8 * used) != 0) {
    return fail(first + count / kWord, field, "padding that isn't zero");
  }
  return true;
}

bool Reader::text_at(size_t slot, const char* field, std::string_view& out) {
  out = {};
  if (word(slot) == 0) return true;
  BytesView all;
  if (!byte_list(slot, field, all)) return false;
  if (all.back() != 0) return fail(slot, field, "no zero byte after the text");
  if (all.size() == 1) return fail(slot, field, "an empty text that isn't a null pointer");
  out = as_text(all.first(all.size() - 1));
  return is_text(out) || fail(slot, field, "the text isn't UTF-8");
}

bool Reader::text(const StructAt& at, size_t pointer, const char* field, std::string_view& out) {
  out = {};
  return pointer >= at.pointer_count || text_at(at.pointers + pointer, field, out);
}

bool Reader::text(const StructAt& at, size_t pointer, const char* field, std::string* out) {
  std::string_view view;
  if (!text(at, pointer, field, view)) return false;
  if (out != nullptr) *out = view;
  return true;
}

bool Reader::bytes(const StructAt& at, size_t pointer, const char* field, BytesView& out) {
  out = {};
  return !has(at, pointer) || byte_list(at.pointers + pointer, field, out);
}

bool Reader::bytes(const StructAt& at, size_t pointer, const char* field, Bytes* out) {
  BytesView view;
  if (!bytes(at, pointer, field, view)) return false;
  if (out != nullptr) out->assign(view.begin(), view.end());
  return true;
}

bool Reader::texts(const StructAt& at, size_t pointer, const char* field, std::vector<std::string>* out) {
  if (!has(at, pointer)) return true;
  size_t first = 0, count = 0;
  if (!list_at(at.pointers + pointer, field, kPointerList, first, count)) return false;
  if (out != nullptr) out->reserve(count);
  for (size_t i = 0; i < count; ++i) {
    std::string_view view;
    if (!text_at(first + i, field, view)) return false;
    if (out != nullptr) out->emplace_back(view);
  }
  return true;
}

bool Reader::numbers(const StructAt& at, size_t pointer, const char* field, std::vector<uint64_t>* out) {
  if (!has(at, pointer)) return true;
  size_t first = 0, count = 0;
  if (!list_at(at.pointers + pointer, field, kWordList, first, count)) return false;
  if (out == nullptr) return true;
  out->reserve(count);
  for (size_t i = 0; i < count; ++i) out->push_back(word(first + i));
  return true;
}

}  // namespace theater::schema::wire
