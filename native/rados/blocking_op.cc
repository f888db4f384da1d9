#include "blocking_op.h"

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
