#pragma once
#include <napi.h>

#include <string>
#include <vector>

// A RADOS object's full name within a pool.
struct ObjectName {
  std::string nspace;
  std::string locator;
  std::string oid;
};

// Bytes of a JavaScript typed array, wherever its memory is.
struct Bytes {
  uint8_t* data;
  size_t length;
};
Bytes bytes_of(const Napi::Value& value);
std::string string_of(const Napi::Value& value);

// Names packed as src/sources/ceph/types.ts says: one buffer, three offsets a name.
std::vector<ObjectName> unpack_names(const Napi::Value& bytes, const Napi::Value& offsets);
