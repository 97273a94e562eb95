#include "keyspace/interval_tree.h"

#include <algorithm>
#include <compare>

#include "keyspace/interval.h"

namespace lattice::keyspace {
namespace {

// Any total order that sorts by begin first.
std::strong_ordering order(const KeyRange& a, const KeyRange& b) {
  const auto begins = a.key <=> b.key;
  return std::is_eq(begins) ? a.end <=> b.end : begins;
}

uint64_t scramble(uint64_t number) {
  number = (number ^ (number >> 30)) * 0xBF58476D1CE4E5B9u;
  number = (number ^ (number >> 27)) * 0x94D049BB133111EBu;
  return number ^ (number >> 31);
}

}  // namespace

struct IntervalTree::Node {
  Node(WatcherToken first, const KeyRange& of)
      : range(of), interval(range), priority(scramble(first + 1)), tokens{first} {
    update();
  }

  bool ends_behind(std::string_view key) const { return reaches_open_end || key < reach; }
  // Recomputes what the node knows of everything below it.
  void update() {
    reaches_open_end = interval.open_end;
    reach = interval.end;
    for (const Node* child : {left.get(), right.get()}) {
      if (child == nullptr) continue;
      reaches_open_end = reaches_open_end || child->reaches_open_end;
      reach = std::max(reach, child->reach);
    }
  }

  const KeyRange range;
  const Interval interval;  // views into `range`
  const uint64_t priority;
  std::vector<WatcherToken> tokens;
  Link left;
  Link right;
  bool reaches_open_end = false;
  std::string_view reach;  // the greatest end in this subtree
};

IntervalTree::IntervalTree() = default;
IntervalTree::~IntervalTree() = default;

IntervalTree::Node* IntervalTree::find(const KeyRange& range) const {
  Node* node = root_.get();
  while (node != nullptr) {
    const std::strong_ordering where = order(range, node->range);
    if (std::is_eq(where)) return node;
    node = std::is_lt(where) ? node->left.get() : node->right.get();
  }
  return nullptr;
}

void IntervalTree::add(WatcherToken token, const KeyRange& range) {
  if (Node* node = find(range); node != nullptr) {
    node->tokens.push_back(token);
    return;
  }
  insert(&root_, std::make_unique<Node>(token, range));
}

void IntervalTree::insert(Link* link, Link node) {
  if (*link == nullptr || (*link)->priority < node->priority) {
    split(std::move(*link), node->range, &node->left, &node->right);
    node->update();
    *link = std::move(node);
    return;
  }
  Node* here = link->get();
  Link* side = std::is_lt(order(node->range, here->range)) ? &here->left : &here->right;
  insert(side, std::move(node));
  here->update();
}

void IntervalTree::split(Link from, const KeyRange& at, Link* before, Link* behind) {
  if (from == nullptr) return;
  Node* node = from.get();
  if (std::is_lt(order(node->range, at))) {
    Link rest = std::move(node->right);
    split(std::move(rest), at, &node->right, behind);
    *before = std::move(from);
  } else {
    Link rest = std::move(node->left);
    split(std::move(rest), at, before, &node->left);
    *behind = std::move(from);
  }
  node->update();
}

IntervalTree::Link IntervalTree::merge(Link left, Link right) {
  if (left == nullptr) return right;
  if (right == nullptr) return left;
  if (left->priority > right->priority) {
    left->right = merge(std::move(left->right), std::move(right));
    left->update();
    return left;
  }
  right->left = merge(std::move(left), std::move(right->left));
  right->update();
  return right;
}

void IntervalTree::remove(WatcherToken token, const KeyRange& range) {
  Node* node = find(range);
  auto at = std::find(node->tokens.begin(), node->tokens.end(), token);
  *at = node->tokens.back();
  node->tokens.pop_back();
  if (node->tokens.empty()) unlink(&root_, range);
}

void IntervalTree::unlink(Link* link, const KeyRange& range) {
  Node* node = link->get();
  const std::strong_ordering where = order(range, node->range);
  if (std::is_eq(where)) {
    *link = merge(std::move(node->left), std::move(node->right));
    return;
  }
  unlink(std::is_lt(where) ? &node->left : &node->right, range);
  node->update();
}

void IntervalTree::match(std::string_view key, std::vector<WatcherToken>* tokens) const {
  const auto visit = [&](const auto& self, const Node* node) -> void {
    if (node == nullptr || !node->ends_behind(key)) return;
    self(self, node->left.get());
    if (key < node->interval.begin) return;
    if (node->interval.before_end(key)) {
      tokens->insert(tokens->end(), node->tokens.begin(), node->tokens.end());
    }
    self(self, node->right.get());
  };
  visit(visit, root_.get());
}

}  // namespace lattice::keyspace
