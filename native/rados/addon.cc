#include <malloc.h>
#include <napi.h>

#include "cluster.h"

// librados allocates and frees a buffer of megabytes for each operation. By default malloc maps each anew, and the kernel
// zeroes its pages one fault at a time; kept for the next operation they cost nothing. Larger blocks, such as those of
// Argon2, still go back to the kernel at once.
static void keep_buffers() {
  mallopt(M_MMAP_THRESHOLD, 32 << 20);
  mallopt(M_TRIM_THRESHOLD, 64 << 20);
}

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  keep_buffers();
  exports.Set("Cluster", Cluster::define(env));
  int major, minor, extra;
  librados::Rados::version(&major, &minor, &extra);
  exports.Set("version", Napi::String::New(env, std::to_string(major) + "." + std::to_string(minor) +
                                                    "." + std::to_string(extra)));
  return exports;
}

NODE_API_MODULE(rados, init)
