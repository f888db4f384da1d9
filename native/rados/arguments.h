#pragma once
#include <napi.h>

#include <string>
#include <utility>
#include <vector>

// Arguments of JavaScript as C++ values. All on the JavaScript thread.

// A RADOS object's full name within a pool.
struct ObjectName {
  std::string nspace;
  std::string locator;
  std::string oid;
};

// The bytes of a JavaScript typed array. They stay where they are: the array must outlive this view (Operation::hold).
struct Bytes {
  uint8_t* data;
  size_t length;
};

using BytePair = std::pair<Bytes, Bytes>;

Bytes bytes_of(const Napi::Value& value);
std::string string_of(const Bytes& bytes);
// Of an array of typed arrays.
std::vector<Bytes> byte_list_of(const Napi::Value& value);
// Of an array of [key, value], typed arrays both.
std::vector<BytePair> byte_pairs_of(const Napi::Value& value);
// Of an array of strings.
std::vector<std::string> string_list_of(const Napi::Value& value);
// Of a PackedNames in src/sources/ceph/librados.ts.
std::vector<ObjectName> object_names_of(const Napi::Value& value);
