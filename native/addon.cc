#include <napi.h>

#include "cluster.h"

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  exports.Set("Cluster", Cluster::define(env));
  int major, minor, extra;
  librados::Rados::version(&major, &minor, &extra);
  exports.Set("version", Napi::String::New(env, std::to_string(major) + "." + std::to_string(minor) +
                                                    "." + std::to_string(extra)));
  return exports;
}

NODE_API_MODULE(rados, init)
