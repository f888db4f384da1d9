// The least CPU time that a case's bytes need on this machine: one thread reads a file in memory, seals or opens it
// in chunks as an archive does, and hashes what is stored. No network, no compression, no JavaScript.
//
//   least_cpu seal|open|hash FOLDER BYTES    prints CPU seconds
//
// The subkey of XChaCha20 is left out: it is one block of ChaCha20 for each chunk.
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/rand.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

namespace {

constexpr size_t kChunk = 2 << 20;
constexpr size_t kTag = 16;

void check(bool good, const char* what) {
  if (good) return;
  perror(what);
  exit(1);
}

double cpu_seconds() {
  rusage used;
  getrusage(RUSAGE_SELF, &used);
  return static_cast<double>(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
         static_cast<double>(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6;
}

int open_unlinked(const std::string& path) {
  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  check(file >= 0, path.c_str());
  unlink(path.c_str());
  return file;
}

void write_all(int file, const uint8_t* data, size_t length) {
  for (size_t done = 0; done < length;) {
    const ssize_t written = write(file, data + done, length - done);
    check(written > 0, "write");
    done += static_cast<size_t>(written);
  }
}

}  // namespace

int main(int count, char** words) {
  check(count == 4, "least_cpu seal|open|hash FOLDER BYTES");
  const std::string mode = words[1], folder = words[2];
  const size_t total = strtoull(words[3], nullptr, 10);
  std::vector<uint8_t> in(kChunk), out(kChunk + kTag);
  check(RAND_bytes(in.data(), static_cast<int>(in.size())) == 1, "RAND_bytes");
  const int source = open_unlinked(folder + "/least-cpu-in");
  for (size_t at = 0; at < total; at += kChunk) write_all(source, in.data(), std::min(kChunk, total - at));
  const int target = open_unlinked(folder + "/least-cpu-out");
  lseek(source, 0, SEEK_SET);

  EVP_CIPHER_CTX* cipher = EVP_CIPHER_CTX_new();
  EVP_MD_CTX* hash = EVP_MD_CTX_new();
  check(EVP_DigestInit_ex(hash, EVP_sha256(), nullptr) == 1, "SHA-256");
  const uint8_t key[32] = {}, nonce[12] = {};
  const double started = cpu_seconds();
  for (size_t at = 0; at < total;) {
    const ssize_t length = read(source, in.data(), kChunk);
    check(length > 0, "read");
    at += static_cast<size_t>(length);
    if (mode != "seal") EVP_DigestUpdate(hash, in.data(), static_cast<size_t>(length));
    if (mode == "hash") continue;
    int done = 0, rest = 0;
    EVP_CipherInit_ex(cipher, EVP_chacha20_poly1305(), nullptr, key, nonce, mode == "seal");
    check(EVP_CipherUpdate(cipher, out.data(), &done, in.data(), static_cast<int>(length)) == 1, "ChaCha20-Poly1305");
    // Opening bytes that nobody sealed fails here, after the same work.
    EVP_CipherFinal_ex(cipher, out.data() + done, &rest);
    if (mode != "seal") continue;
    EVP_CIPHER_CTX_ctrl(cipher, EVP_CTRL_AEAD_GET_TAG, kTag, out.data() + done);
    EVP_DigestUpdate(hash, out.data(), static_cast<size_t>(done) + kTag);
    write_all(target, out.data(), static_cast<size_t>(done) + kTag);
  }
  uint8_t digest[EVP_MAX_MD_SIZE];
  EVP_DigestFinal_ex(hash, digest, nullptr);
  printf("%.4f\n", cpu_seconds() - started);
}
