#include "blocking_op.h"

#include <algorithm>

#include "exit_guard.h"

void BlockingOperation::answer(Napi::Env env) {
  if (code < 0) return call(env, code);
  auto all_numbers = Napi::Array::New(env, numbers.size());
  for (size_t i = 0; i < numbers.size(); i++) all_numbers[i] = Napi::Number::New(env, numbers[i]);
  auto all_texts = Napi::Array::New(env, texts.size());
  for (size_t i = 0; i < texts.size(); i++) all_texts[i] = Napi::String::New(env, texts[i]);
  call(env, 0, {all_numbers, all_texts});
}

static int connect_to(librados::Rados& rados, const ConnectOptions& options, std::string& fsid) {
  int code = rados.init2(options.user.c_str(), options.cluster.c_str(), 0);
  if (code < 0) return code;
  code = rados.conf_read_file(options.conf.c_str());
  if (code < 0) return code;
  for (const auto& [key, value] : options.settings) {
    code = rados.conf_set(key.c_str(), value.c_str());
    if (code < 0) return code;
  }
  code = rados.connect();
  if (code < 0) return code;
  return rados.cluster_fsid(&fsid);
}

void connect(Connection& connection, const ConnectOptions& options, BlockingOperation& answer) {
  std::string fsid;
  answer.code = connect_to(connection.rados, options, fsid);
  answer.texts.push_back(fsid);
  exit_guard::connection_made();
}

void list_pools(Connection& connection, BlockingOperation& answer) {
  std::list<std::string> names;
  answer.code = connection.rados.pool_list(names);
  answer.texts.assign(names.begin(), names.end());
}

void pool_stats(Connection& connection, std::list<std::string> names, BlockingOperation& answer) {
  librados::stats_map stats;
  answer.code = connection.rados.get_pool_stats(names, stats);
  for (const auto& [name, pool] : stats) {
    answer.texts.push_back(name);
    answer.numbers.push_back(static_cast<double>(pool.num_objects));
    answer.numbers.push_back(static_cast<double>(pool.num_bytes));
  }
}

void pool_details(Connection& connection, BlockingOperation& answer) {
  librados::bufferlist out;
  std::string status;
  answer.code = connection.rados.mon_command(R"({"prefix": "osd pool ls", "detail": "detail", "format": "json"})", {},
                                             &out, &status);
  answer.texts.push_back(out.to_str());
}

// Most clusters have no tiers, as the map tells that every client holds; only the monitors tell what a tier is for.
void pool_tiers(Connection& connection, const std::vector<std::string>& names, BlockingOperation& answer) {
  std::list<std::pair<int64_t, std::string>> pools;
  answer.code = connection.rados.pool_list2(pools);
  if (answer.code < 0) return;
  auto named = [&](int64_t id) {
    return std::any_of(pools.begin(), pools.end(), [&](const auto& pool) {
      return pool.first == id && std::find(names.begin(), names.end(), pool.second) != names.end();
    });
  };
  const bool tiered = std::any_of(pools.begin(), pools.end(), [&](const auto& pool) {
    int64_t base = pool.first;
    // A pool that is gone by now is no tier.
    if (connection.rados.pool_get_base_tier(pool.first, &base) < 0 || base == pool.first) return false;
    return named(pool.first) || named(base);
  });
  if (tiered) pool_details(connection, answer);
}

void open_pool(Connection& connection, const std::string& name, BlockingOperation& answer) {
  auto pool = std::make_shared<Pool>();
  answer.code = connection.rados.ioctx_create(name.c_str(), pool->objects);
  if (answer.code == 0) answer.code = connection.rados.ioctx_create(name.c_str(), pool->listing);
  if (answer.code < 0) return;
  pool->listing.set_namespace(librados::all_nspaces);
  const int64_t id = pool->objects.get_id();
  uint64_t alignment = 0;
  answer.code = pool->objects.pool_required_alignment2(&alignment);
  if (answer.code < 0) return;
  answer.numbers.push_back(connection.add_pool(std::move(pool)));
  answer.numbers.push_back(static_cast<double>(alignment));
  answer.numbers.push_back(static_cast<double>(id));
}
