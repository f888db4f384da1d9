#include "arguments.h"

Bytes bytes_of(const Napi::Value& value) {
  auto array = value.As<Napi::TypedArray>();
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  // napi_get_typedarray_info also serves views on shared memory, which Napi::Buffer does not.
  napi_get_typedarray_info(array.Env(), array, &type, &length, &data, nullptr, nullptr);
  return {static_cast<uint8_t*>(data), length * array.ElementSize()};
}

std::string string_of(const Bytes& bytes) {
  return std::string(reinterpret_cast<const char*>(bytes.data), bytes.length);
}

// `convert` is called for each element, in a handle scope of its own.
template <typename Item, typename Convert>
static std::vector<Item> list_of(const Napi::Value& value, const Convert& convert) {
  auto array = value.As<Napi::Array>();
  const uint32_t length = array.Length();
  std::vector<Item> items;
  items.reserve(length);
  for (uint32_t i = 0; i < length; i++) {
    Napi::HandleScope scope(value.Env());
    items.push_back(convert(array.Get(i)));
  }
  return items;
}

std::vector<Bytes> byte_list_of(const Napi::Value& value) { return list_of<Bytes>(value, bytes_of); }

std::vector<BytePair> byte_pairs_of(const Napi::Value& value) {
  return list_of<BytePair>(value, [](const Napi::Value& item) {
    auto pair = item.As<Napi::Array>();
    return BytePair{bytes_of(pair.Get(0u)), bytes_of(pair.Get(1u))};
  });
}

std::vector<std::string> string_list_of(const Napi::Value& value) {
  return list_of<std::string>(value, [](const Napi::Value& item) -> std::string { return item.As<Napi::String>(); });
}

std::vector<ObjectName> object_names_of(const Napi::Value& value) {
  auto packed = value.As<Napi::Object>();
  const Bytes text = bytes_of(packed.Get("bytes"));
  const Bytes offsets = bytes_of(packed.Get("offsets"));
  const auto* at = reinterpret_cast<const uint32_t*>(offsets.data);
  const size_t count = offsets.length / sizeof(uint32_t);
  std::vector<ObjectName> names;
  if (count == 0) return names;
  for (size_t i = 0; i < count; i++) {
    if (at[i] > text.length || (i > 0 && at[i] < at[i - 1])) {
      throw Napi::RangeError::New(value.Env(), "an offset is outside of the names");
    }
  }
  const auto part = [&](size_t i) { return string_of({text.data + at[i], at[i + 1] - at[i]}); };
  names.reserve((count - 1) / 3);
  for (size_t i = 0; i + 3 < count; i += 3) names.push_back({part(i), part(i + 1), part(i + 2)});
  return names;
}
