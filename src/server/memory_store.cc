#include "server/memory_store.h"

#include "backends/memory/memory_store.h"

namespace lattice::server {
namespace {

using backends::TenantLimitValues;
using backends::TenantRow;

class MemoryDirectory final : public backends::TenantDirectory {
 public:
  explicit MemoryDirectory(replica::Environment& environment) : environment_(environment) {}

  void version(Callback<int64_t> done) override { answer(std::move(done), list_.version); }
  void list(Callback<backends::TenantList> done) override { answer(std::move(done), list_); }
  void create(const std::string& name, const TenantLimitValues& limits,
              StatusCallback done) override {
    if (find(name) != nullptr) return refuse(std::move(done), Error::tenant_exists);
    TenantRow row;
    row.name = name;
    row.log_no = ++newest_log_no_;
    row.limits = limits;
    list_.tenants.push_back(std::move(row));
    changed(std::move(done));
  }
  void set_limits(const std::string& name, const TenantLimitValues& limits,
                  StatusCallback done) override {
    TenantRow* row = find(name);
    if (row == nullptr) return refuse(std::move(done), Error::tenant_unknown);
    row->limits = limits;
    changed(std::move(done));
  }
  void remove(const std::string& name, StatusCallback done) override {
    TenantRow* row = find(name);
    if (row == nullptr) return refuse(std::move(done), Error::tenant_unknown);
    row->state = backends::TenantState::removing;
    row->name = "~" + std::to_string(row->log_no) + "~" + name;
    changed(std::move(done));
  }
  void sweep(int64_t log_no, Callback<bool> done) override {
    std::erase_if(list_.tenants, [log_no](const TenantRow& row) { return row.log_no == log_no; });
    answer(std::move(done), false);
  }

 private:
  TenantRow* find(const std::string& name) {
    for (TenantRow& row : list_.tenants) {
      if (row.name == name) return &row;
    }
    return nullptr;
  }
  void changed(StatusCallback done) {
    ++list_.version;
    environment_.defer([done = std::move(done)]() mutable { done({}); });
  }
  void refuse(StatusCallback done, Error error) {
    environment_.defer([done = std::move(done), error]() mutable { done(error); });
  }
  template <class T>
  void answer(Callback<T> done, T value) {
    environment_.defer(
        [done = std::move(done), value = std::move(value)]() mutable { done(std::move(value)); });
  }

  replica::Environment& environment_;
  backends::TenantList list_;
  int64_t newest_log_no_ = 0;
};

class MemoryKind final : public Store {
 public:
  explicit MemoryKind(replica::Environment& environment)
      : environment_(environment), store_(environment), directory_(environment) {}

  void open(StatusCallback done) override {
    environment_.defer([done = std::move(done)]() mutable { done({}); });
  }
  void open_log(std::string_view tenant, Callback<OpenedLog> done) override {
    directory_.create(std::string(tenant), {}, [](const Status&) {});
    environment_.defer(
        [done = std::move(done), opened = opened(tenant)]() mutable { done(std::move(opened)); });
  }
  OpenedLog open_listed(const TenantRow& tenant) override { return opened(tenant.name); }
  backends::TenantDirectory& directory() override { return directory_; }

 private:
  OpenedLog opened(std::string_view tenant) {
    return {store_.open_log(tenant, environment_), nullptr, store_.cluster_id(), {}, nullptr};
  }

  replica::Environment& environment_;
  backends::MemoryStore store_;
  MemoryDirectory directory_;
};

}  // namespace

std::unique_ptr<Store> make_memory_store(replica::Environment& environment) {
  return std::make_unique<MemoryKind>(environment);
}

}  // namespace lattice::server
