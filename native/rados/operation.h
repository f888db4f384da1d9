#pragma once
#include <napi.h>

#include <vector>

// One call from JavaScript.
//
// The JavaScript thread makes it and hands it to Connection::start(), which owns it from then on. Other threads do its
// work and call Connection::finish(). The JavaScript thread then calls its callback once, by deliver() or abandon().
// The connection deletes it after deliver(); after abandon() only once librados is shut down, since a thread of
// librados may still write to it.
class Operation {
 public:
  explicit Operation(const Napi::Value& callback) : callback_(Napi::Persistent(callback.As<Napi::Function>())) {}
  virtual ~Operation() = default;
  Operation(const Operation&) = delete;
  Operation& operator=(const Operation&) = delete;

  // Calls back with (0, result), or with the negative errno alone.
  void deliver(Napi::Env env) noexcept;
  // Calls back with -ECANCELED: the connection was closed first.
  void abandon(Napi::Env env) noexcept;
  // Drops all references to JavaScript, on its thread. What remains may be deleted on any thread.
  void let_go();

 protected:
  // Makes the result of an operation that succeeded. On the JavaScript thread, after the last write by another.
  virtual Napi::Value result(Napi::Env env) = 0;
  // Keeps a value, and the memory in it, until the operation is deleted or let go.
  void hold(const Napi::Value& value) { held_.push_back(Napi::Persistent(value.As<Napi::Object>())); }

  // 0 or a negative errno of the whole operation. Written before Connection::finish().
  int code_ = 0;

 private:
  void call(Napi::Env env, const std::vector<napi_value>& arguments);

  Napi::FunctionReference callback_;
  std::vector<Napi::ObjectReference> held_;
};
