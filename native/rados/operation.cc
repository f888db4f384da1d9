#include "operation.h"

#include <cerrno>

void Operation::deliver(Napi::Env env) noexcept {
  Napi::HandleScope scope(env);
  try {
    if (code_ < 0) {
      call(env, {Napi::Number::New(env, code_)});
      return;
    }
    Napi::Value made;
    try {
      made = result(env);
    } catch (const Napi::Error&) {
      // Out of memory: the caller must not wait forever.
      call(env, {Napi::Number::New(env, -ENOMEM)});
      return;
    }
    call(env, {Napi::Number::New(env, 0), made});
  } catch (const Napi::Error&) {
    // A worker thread that is being terminated can neither make results nor call callbacks.
  }
}

void Operation::abandon(Napi::Env env) noexcept {
  Napi::HandleScope scope(env);
  try {
    call(env, {Napi::Number::New(env, -ECANCELED)});
  } catch (const Napi::Error&) {
    // As above.
  }
}

void Operation::let_go() {
  callback_.Reset();
  held_.clear();
}

void Operation::call(Napi::Env env, const std::vector<napi_value>& arguments) {
  const napi_status status = napi_call_function(env, env.Undefined(), callback_.Value(), arguments.size(),
                                                arguments.data(), nullptr);
  if (status != napi_pending_exception) return;
  // An exception of a callback becomes an uncaught exception, and the next callback is called.
  napi_value thrown = nullptr;
  if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
}
