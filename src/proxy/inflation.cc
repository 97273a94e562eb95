#include "proxy/inflation.h"

#include <utility>

#include "proxy/grpc_exchange.h"

namespace lattice::proxy {

bool Inflation::run(size_t size) {
  const GzipInflater::State state = inflater->run(size);
  if (state == GzipInflater::State::more) return true;
  exchange_.on_inflated(state);
  return false;
}

void Inflations::add(SessionHost& connection, Inflation& inflation) {
  inflation.connection_ = &connection;
  inflation.number_ = ++added_;
  Line& line = lines_[&connection];
  if (line.under_way == nullptr && line.waiting.empty()) ready_.push_back(&connection);
  line.waiting.emplace(inflation.number_, &inflation);
  begin_more();
}

void Inflations::remove(Inflation& inflation) {
  SessionHost* const connection = std::exchange(inflation.connection_, nullptr);
  if (connection == nullptr) return;
  Line& line = lines_[connection];
  if (line.under_way == &inflation) {
    connection->leave_turns(inflation);
    line.under_way = nullptr;
    --under_way_;
    if (!line.waiting.empty()) ready_.push_back(connection);
  } else {
    line.waiting.erase(inflation.number_);
    if (line.under_way == nullptr && line.waiting.empty()) std::erase(ready_, connection);
  }
  if (line.under_way == nullptr && line.waiting.empty()) lines_.erase(connection);
  begin_more();
}

void Inflations::begin_more() {
  while (under_way_ < under_way_max && !ready_.empty()) {
    SessionHost* const connection = ready_.front();
    ready_.pop_front();
    Line& line = lines_[connection];
    line.under_way = line.waiting.extract(line.waiting.begin()).mapped();
    ++under_way_;
    connection->take_turns(*line.under_way);
  }
}

}  // namespace lattice::proxy
