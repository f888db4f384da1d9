#include <napi.h>

// XChaCha20-Poly1305 by the OpenSSL inside Node, from the pieces of a chunk into one buffer. OpenSSL uses the widest
// vectors of the processor: with AVX-512 it is twice as fast as libsodium. Without OpenSSL's headers the addon exports
// nothing, and JavaScript uses libsodium.
#if __has_include(<openssl/evp.h>)
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include <algorithm>
#include <climits>
#include <cstring>
#include <memory>
#include <vector>

namespace {

constexpr size_t KEY = 32;
constexpr size_t NONCE = 24;
constexpr size_t TAG = 16;

struct FreeContext {
  void operator()(EVP_CIPHER_CTX* context) const { EVP_CIPHER_CTX_free(context); }
};
using Context = std::unique_ptr<EVP_CIPHER_CTX, FreeContext>;

struct Bytes {
  uint8_t* data;
  size_t length;
};

Bytes bytes_of(const Napi::Value& value) {
  // Napi::Uint8Array does not accept a view of shared memory.
  if (!value.IsTypedArray()) throw Napi::TypeError::New(value.Env(), "a Uint8Array is needed");
  void* data;
  size_t length;
  napi_typedarray_type type;
  const napi_status status =
      napi_get_typedarray_info(value.Env(), value, &type, &length, &data, nullptr, nullptr);
  if (status != napi_ok || type != napi_uint8_array || length > INT_MAX / 2) {
    throw Napi::TypeError::New(value.Env(), "a Uint8Array of less than 1 GiB is needed");
  }
  return {static_cast<uint8_t*>(data), length};
}

uint32_t load32(const uint8_t* from) {
  return static_cast<uint32_t>(from[0]) | static_cast<uint32_t>(from[1]) << 8 |
         static_cast<uint32_t>(from[2]) << 16 | static_cast<uint32_t>(from[3]) << 24;
}

void store32(uint8_t* to, uint32_t word) {
  for (int i = 0; i < 4; i++) to[i] = static_cast<uint8_t>(word >> (8 * i));
}

void check(Napi::Env env, bool good) {
  if (!good) throw Napi::Error::New(env, "OpenSSL cannot run ChaCha20-Poly1305");
}

Context new_context(Napi::Env env) {
  Context context(EVP_CIPHER_CTX_new());
  check(env, context != nullptr);
  return context;
}

// HChaCha20 (draft-irtf-cfrg-xchacha-03, 2.2) is ChaCha20's block without the last step, which adds the initial state.
// So the initial state is subtracted from the words of the subkey.
void hchacha20(Napi::Env env, uint8_t* subkey, const uint8_t* key, const uint8_t* input) {
  static const uint8_t sigma[] = "expand 32-byte k";
  const uint8_t zeros[64] = {};
  uint8_t block[64];
  int length = 0;
  Context context = new_context(env);
  check(env, EVP_EncryptInit_ex(context.get(), EVP_chacha20(), nullptr, key, input) == 1);
  check(env, EVP_EncryptUpdate(context.get(), block, &length, zeros, sizeof block) == 1 && length == sizeof block);
  for (int i = 0; i < 4; i++) {
    store32(subkey + 4 * i, load32(block + 4 * i) - load32(sigma + 4 * i));
    store32(subkey + 16 + 4 * i, load32(block + 48 + 4 * i) - load32(input + 4 * i));
  }
  OPENSSL_cleanse(block, sizeof block);
}

// Arguments of seal and open.
enum Argument { kOut, kPieces, kNonce, kKey };

// One call of seal or open.
struct Call {
  Bytes out;
  std::vector<Bytes> pieces;
  size_t length = 0;
  Context context;

  Call(const Napi::CallbackInfo& info, bool sealing) : out(bytes_of(info[kOut])) {
    const Napi::Env env = info.Env();
    const Napi::Array views = info[kPieces].As<Napi::Array>();
    for (uint32_t i = 0; i < views.Length(); i++) {
      pieces.push_back(bytes_of(views.Get(i)));
      length += pieces.back().length;
    }
    const Bytes nonce = bytes_of(info[kNonce]);
    const Bytes key = bytes_of(info[kKey]);
    if (nonce.length != NONCE || key.length != KEY || length > INT_MAX / 2) {
      throw Napi::RangeError::New(env, "a nonce, a key or a chunk of the wrong length");
    }
    uint8_t subkey[KEY];
    hchacha20(env, subkey, key.data, nonce.data);
    uint8_t rest[12] = {};
    memcpy(rest + 4, nonce.data + 16, 8);
    context = new_context(env);
    check(env, EVP_CipherInit_ex(context.get(), EVP_chacha20_poly1305(), nullptr, subkey, rest, sealing) == 1);
    OPENSSL_cleanse(subkey, sizeof subkey);
  }

  // Encrypts or decrypts the first `count` bytes of the pieces.
  void update(Napi::Env env, size_t count) {
    uint8_t* to = out.data;
    for (const Bytes& piece : pieces) {
      const size_t taken = std::min(piece.length, count);
      if (taken == 0) continue;
      int length = 0;
      check(env, EVP_CipherUpdate(context.get(), to, &length, piece.data, static_cast<int>(taken)) == 1 &&
                     static_cast<size_t>(length) == taken);
      to += taken;
      count -= taken;
    }
  }

  // Copies the last TAG bytes of the pieces.
  void tail(uint8_t* tag) const {
    size_t left = TAG;
    for (auto piece = pieces.rbegin(); piece != pieces.rend() && left > 0; ++piece) {
      const size_t taken = std::min(piece->length, left);
      left -= taken;
      memcpy(tag + left, piece->data + piece->length - taken, taken);
    }
  }
};

// Writes ciphertext and tag to `out`; returns their length.
Napi::Value seal(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Call call(info, true);
  if (call.out.length < call.length + TAG) throw Napi::RangeError::New(env, "no room for the sealed chunk");
  call.update(env, call.length);
  int length = 0;
  uint8_t* end = call.out.data + call.length;
  check(env, EVP_EncryptFinal_ex(call.context.get(), end, &length) == 1);
  check(env, EVP_CIPHER_CTX_ctrl(call.context.get(), EVP_CTRL_AEAD_GET_TAG, TAG, end) == 1);
  return Napi::Number::New(env, static_cast<double>(call.length + TAG));
}

// Writes the plaintext to `out` and returns its length. When the tag is wrong it writes zeros and returns -1.
Napi::Value open(const Napi::CallbackInfo& info) {
  const Napi::Env env = info.Env();
  Call call(info, false);
  if (call.length < TAG) return Napi::Number::New(env, -1);
  const size_t plain = call.length - TAG;
  if (call.out.length < plain) throw Napi::RangeError::New(env, "no room for the opened chunk");
  uint8_t tag[TAG];
  call.tail(tag);
  check(env, EVP_CIPHER_CTX_ctrl(call.context.get(), EVP_CTRL_AEAD_SET_TAG, TAG, tag) == 1);
  call.update(env, plain);
  int length = 0;
  uint8_t none[1];
  if (EVP_DecryptFinal_ex(call.context.get(), none, &length) != 1) {
    memset(call.out.data, 0, plain);
    return Napi::Number::New(env, -1);
  }
  return Napi::Number::New(env, static_cast<double>(plain));
}

}  // namespace
#endif

static Napi::Object init([[maybe_unused]] Napi::Env env, Napi::Object exports) {
#if __has_include(<openssl/evp.h>)
  exports.Set("seal", Napi::Function::New<seal>(env));
  exports.Set("open", Napi::Function::New<open>(env));
#endif
  return exports;
}

NODE_API_MODULE(chunk_cipher, init)
