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

// The version of what JavaScript calls and gets. Raise it with INTERFACE in src/sources/ceph/librados.ts, so that an addon
// of another build is noticed when it is loaded.
static constexpr int kInterface = 1;

static Napi::Object init(Napi::Env env, Napi::Object exports) {
  keep_buffers();
  exports.Set("interface", kInterface);
  exports.Set("Cluster", Cluster::define(env));
  int major, minor, extra;
  librados::Rados::version(&major, &minor, &extra);
  const std::string version = std::to_string(major) + "." + std::to_string(minor) + "." + std::to_string(extra);
  exports.Set("version", version);
  return exports;
}

NODE_API_MODULE(rados, init)
