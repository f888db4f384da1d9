#pragma once
#include <napi.h>

#include <algorithm>
#include <ctime>
#include <rados/librados.hpp>
#include <vector>

// C++ values as JavaScript values. All on the JavaScript thread.

// A typed array of numbers: Float64Array of doubles, BigInt64Array of int64_t and so on.
template <typename Number>
Napi::TypedArrayOf<Number> typed_array_of(Napi::Env env, const std::vector<Number>& numbers) {
  auto array = Napi::TypedArrayOf<Number>::New(env, numbers.size());
  std::copy(numbers.begin(), numbers.end(), array.Data());
  return array;
}

inline Napi::Buffer<char> buffer_of(Napi::Env env, const librados::bufferlist& bytes) {
  auto buffer = Napi::Buffer<char>::New(env, bytes.length());
  if (bytes.length() > 0) bytes.begin().copy(bytes.length(), buffer.Data());
  return buffer;
}

constexpr int64_t kNanosecondsPerSecond = 1000000000;

inline int64_t nanoseconds_of(const timespec& time) {
  return time.tv_sec * kNanosecondsPerSecond + time.tv_nsec;
}

// Negative times have a positive fraction, as timespec wants it.
inline timespec timespec_of(int64_t nanoseconds) {
  timespec time{nanoseconds / kNanosecondsPerSecond, nanoseconds % kNanosecondsPerSecond};
  if (time.tv_nsec < 0) {
    time.tv_sec -= 1;
    time.tv_nsec += kNanosecondsPerSecond;
  }
  return time;
}
