#include "names.h"

Bytes bytes_of(const Napi::Value& value) {
  auto array = value.As<Napi::TypedArray>();
  void* data = nullptr;
  size_t length = 0;
  napi_typedarray_type type;
  // napi_get_typedarray_info also serves views on shared memory, which Napi::Buffer does not.
  napi_get_typedarray_info(array.Env(), array, &type, &length, &data, nullptr, nullptr);
  return {static_cast<uint8_t*>(data), length * array.ElementSize()};
}

std::string string_of(const Napi::Value& value) {
  const Bytes bytes = bytes_of(value);
  return std::string(reinterpret_cast<const char*>(bytes.data), bytes.length);
}

std::vector<ObjectName> unpack_names(const Napi::Value& bytes, const Napi::Value& offsets) {
  const Bytes text = bytes_of(bytes);
  const Bytes packed = bytes_of(offsets);
  const auto* at = reinterpret_cast<const uint32_t*>(packed.data);
  const size_t parts = packed.length / sizeof(uint32_t);
  std::vector<ObjectName> names;
  if (parts == 0) return names;
  for (size_t i = 0; i < parts; i++) {
    if (at[i] > text.length || (i > 0 && at[i] < at[i - 1])) {
      throw Napi::RangeError::New(bytes.Env(), "offsets outside of the names");
    }
  }
  const auto part = [&](size_t i) {
    return std::string(reinterpret_cast<const char*>(text.data) + at[i], at[i + 1] - at[i]);
  };
  names.reserve((parts - 1) / 3);
  for (size_t i = 0; i + 3 < parts; i += 3) names.push_back({part(i), part(i + 1), part(i + 2)});
  return names;
}
