#pragma once
#include <napi.h>

#include <initializer_list>
#include <vector>

// One call from JavaScript. It is made on the JavaScript thread, works on others, and calls back on the
// JavaScript thread once, by deliver() or abandon().
class Operation {
 public:
  explicit Operation(Napi::Function callback) : callback_(Napi::Persistent(callback)) {}
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Calls back with what came out.
  void deliver(Napi::Env env) noexcept;
  // Calls back with -ECANCELED: the cluster handle was closed first.
  void abandon(Napi::Env env) noexcept;
  // Drops all that belongs to JavaScript, on its thread. What remains may be deleted on any thread.
  void let_go();

 protected:
  virtual void answer(Napi::Env env) = 0;
  // The callback's first argument is 0 or a negative errno; the others are as each operation says.
  void call(Napi::Env env, int code, std::initializer_list<napi_value> results = {});
  // Keeps a value, and the memory in it, until the operation is done.
  void hold(const Napi::Value& value) { held_.push_back(Napi::Persistent(value.As<Napi::Object>())); }

 private:
  Napi::FunctionReference callback_;
  std::vector<Napi::ObjectReference> held_;
};
