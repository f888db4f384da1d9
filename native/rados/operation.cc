#include "operation.h"

#include <cerrno>

void Operation::deliver(Napi::Env env) noexcept {
  Napi::HandleScope scope(env);
  try {
    answer(env);
  } catch (const Napi::Error&) {
    // Results cannot be built, nor callbacks called, on a worker thread that is being terminated.
  }
}

void Operation::abandon(Napi::Env env) noexcept {
  Napi::HandleScope scope(env);
  try {
    call(env, -ECANCELED);
  } catch (const Napi::Error&) {
    // As above.
  }
}

void Operation::let_go() {
  callback_.Reset();
  held_.clear();
}

void Operation::call(Napi::Env env, int code, std::initializer_list<napi_value> results) {
  std::vector<napi_value> arguments{Napi::Number::New(env, code)};
  arguments.insert(arguments.end(), results);
  const napi_status status = napi_call_function(env, env.Undefined(), callback_.Value(), arguments.size(),
                                                arguments.data(), nullptr);
  if (status != napi_pending_exception) return;
  // A callback that throws is its own matter: an uncaught exception, and the next callback is called.
  napi_value thrown = nullptr;
  if (napi_get_and_clear_last_exception(env, &thrown) == napi_ok) napi_fatal_exception(env, thrown);
}
