#include "cluster_ops.h"

#include <algorithm>

#include "exit_guard.h"

ClusterOperation::ClusterOperation(const Napi::Value& callback, ClusterCall call)
    : Operation(callback), call_(std::move(call)) {}

void ClusterOperation::run(const std::shared_ptr<Connection>& connection) {
  auto outcome = call_(*connection);
  code_ = outcome.code;
  result_ = std::move(outcome.result);
  connection->finish(this);
}

static ToJavaScript text(std::string text) {
  return [text = std::move(text)](Napi::Env env) { return Napi::String::New(env, text); };
}

// `convert` makes the JavaScript value of one item.
template <typename Items, typename Convert>
static ToJavaScript array(Items items, Convert convert) {
  return [items = std::move(items), convert](Napi::Env env) {
    auto array = Napi::Array::New(env, items.size());
    uint32_t at = 0;
    for (const auto& item : items) array[at++] = convert(env, item);
    return array;
  };
}

static int connect_to(librados::Rados& rados, const ConnectOptions& options) {
  int code = rados.init2(options.user.c_str(), options.cluster.c_str(), 0);
  if (code < 0) return code;
  code = rados.conf_read_file(options.conf.c_str());
  if (code < 0) return code;
  for (const auto& [key, value] : options.settings) {
    code = rados.conf_set(key.c_str(), value.c_str());
    if (code < 0) return code;
  }
  return rados.connect();
}

Outcome connect(Connection& connection, const ConnectOptions& options) {
  std::string fsid;
  int code = connect_to(connection.rados, options);
  if (code >= 0) code = connection.rados.cluster_fsid(&fsid);
  exit_guard::connection_made();
  return {code, text(fsid)};
}

Outcome list_pools(Connection& connection) {
  std::list<std::string> names;
  const int code = connection.rados.pool_list(names);
  return {code, array(names, [](Napi::Env env, const auto& name) { return Napi::String::New(env, name); })};
}

Outcome pool_stats(Connection& connection, const std::vector<std::string>& names) {
  std::list<std::string> wanted(names.begin(), names.end());
  librados::stats_map stats;
  const int code = connection.rados.get_pool_stats(wanted, stats);
  return {code, array(stats, [](Napi::Env env, const auto& found) {
            auto pool = Napi::Object::New(env);
            pool["name"] = found.first;
            pool["objects"] = static_cast<double>(found.second.num_objects);
            pool["bytes"] = static_cast<double>(found.second.num_bytes);
            return pool;
          })};
}

Outcome pool_details(Connection& connection) {
  librados::bufferlist out;
  std::string status;
  const int code = connection.rados.mon_command(
      R"({"prefix": "osd pool ls", "detail": "detail", "format": "json"})", {}, &out, &status);
  return {code, text(out.to_str())};
}

// Most clusters have no tiers. The map that every client holds shows it; only the monitors know what a tier is for.
Outcome pool_tiers(Connection& connection, const std::vector<std::string>& names) {
  std::list<std::pair<int64_t, std::string>> pools;
  const int code = connection.rados.pool_list2(pools);
  if (code < 0) return {code, {}};
  auto named = [&](int64_t id) {
    return std::any_of(pools.begin(), pools.end(), [&](const auto& pool) {
      return pool.first == id && std::find(names.begin(), names.end(), pool.second) != names.end();
    });
  };
  const bool tiered = std::any_of(pools.begin(), pools.end(), [&](const auto& pool) {
    int64_t base = pool.first;
    // A pool that was removed meanwhile is no tier.
    if (connection.rados.pool_get_base_tier(pool.first, &base) < 0 || base == pool.first) return false;
    return named(pool.first) || named(base);
  });
  return tiered ? pool_details(connection) : Outcome{0, text("[]")};
}

Outcome open_pool(Connection& connection, const std::string& name) {
  auto pool = std::make_shared<Pool>();
  int code = connection.rados.ioctx_create(name.c_str(), pool->objects);
  if (code >= 0) code = connection.rados.ioctx_create(name.c_str(), pool->listing);
  if (code < 0) return {code, {}};
  pool->listing.set_namespace(librados::all_nspaces);
  const int64_t id = pool->objects.get_id();
  uint64_t alignment = 0;
  code = pool->objects.pool_required_alignment2(&alignment);
  if (code < 0) return {code, {}};
  return {0, [number = connection.add_pool(std::move(pool)), alignment, id](Napi::Env env) {
            auto opened = Napi::Object::New(env);
            opened["number"] = number;
            opened["alignment"] = static_cast<double>(alignment);
            opened["id"] = static_cast<double>(id);
            return opened;
          }};
}
