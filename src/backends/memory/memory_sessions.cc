#include "backends/memory/memory_data.h"

namespace lattice::backends {
namespace {

using replica::Incarnation;
using replica::SessionRow;

class MemorySessions final : public replica::Sessions {
 public:
  MemorySessions(std::shared_ptr<MemoryStore::SessionData> data, replica::Environment& environment)
      : data_(std::move(data)), environment_(environment) {}

  void open(const Incarnation& incarnation, const replica::NodeInfo& node,
            StatusCallback done) override {
    defer([this, incarnation, node, done = std::move(done)]() mutable {
      SessionRow row;
      row.incarnation = incarnation;
      row.node = node;
      const bool fresh = data_->rows.emplace(incarnation, std::move(row)).second;
      done(fresh ? Status() : Status(Error::not_leader, "this incarnation was used before"));
    });
  }

  void renew(const Incarnation& incarnation, std::vector<replica::Announcement> news,
             StatusCallback done) override {
    defer([this, incarnation, news = std::move(news), done = std::move(done)]() mutable {
      auto row = data_->rows.find(incarnation);
      if (row == data_->rows.end() || row->second.dead) {
        done(Status(Error::not_leader, "this session was declared dead"));
        return;
      }
      ++row->second.renewals;
      for (const replica::Announcement& each : news) {
        data_->announced[{incarnation, each.log}] = each.position;
      }
      done(Status());
    });
  }

  void read(const Incarnation& incarnation, const replica::LogId& log,
            Callback<std::optional<SessionRow>> done) override {
    defer([this, incarnation, log, done = std::move(done)]() mutable {
      auto row = data_->rows.find(incarnation);
      std::optional<SessionRow> answer;
      if (row != data_->rows.end()) {
        answer = row->second;
        const auto announced = data_->announced.find({incarnation, log});
        if (announced != data_->announced.end()) answer->announced = announced->second;
      }
      done(std::move(answer));
    });
  }

  void list(Callback<std::vector<SessionRow>> done) override {
    defer([this, done = std::move(done)]() mutable {
      std::vector<SessionRow> alive;
      for (const auto& [incarnation, row] : data_->rows) {
        if (!row.dead) alive.push_back(row);
      }
      done(std::move(alive));
    });
  }

  void declare_dead(const Incarnation& incarnation, int64_t renewals,
                    Callback<bool> done) override {
    defer([this, incarnation, renewals, done = std::move(done)]() mutable {
      auto row = data_->rows.find(incarnation);
      const bool hit =
          row != data_->rows.end() && !row->second.dead && row->second.renewals == renewals;
      if (hit) row->second.dead = true;
      done(hit);
    });
  }

  void release(const Incarnation& incarnation, StatusCallback done) override {
    defer([this, incarnation, done = std::move(done)]() mutable {
      if (auto row = data_->rows.find(incarnation); row != data_->rows.end()) {
        row->second.dead = true;
      }
      done(Status());
    });
  }

 private:
  template <class Task>
  void defer(Task task) {
    environment_.defer([alive = std::weak_ptr<bool>(alive_), task = std::move(task)]() mutable {
      if (!alive.expired()) task();
    });
  }

  std::shared_ptr<MemoryStore::SessionData> data_;
  replica::Environment& environment_;
  std::shared_ptr<bool> alive_ = std::make_shared<bool>(true);
};

}  // namespace

std::unique_ptr<replica::Sessions> make_memory_sessions(
    std::shared_ptr<MemoryStore::SessionData> data, replica::Environment& environment) {
  return std::make_unique<MemorySessions>(std::move(data), environment);
}

}  // namespace lattice::backends
